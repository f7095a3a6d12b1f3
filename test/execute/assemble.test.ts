/**
 * The proof that every vector passes, and the putting together: no wrong, missing or misplaced vector gets through.
 * A new doubt in `prove` is a row of WRONG here.
 */
import { describe, expect, test } from "bun:test";
import fc from "fast-check";
import { exactVector } from "../../plugins/fake";
import { GatewayError } from "../../src/domain/errors";
import type { KnownFacts } from "../../src/domain/facts";
import type { Answered, Embedded, Part, Plan } from "../../src/domain/request";
import { prove } from "../../src/execute/assemble";
import { collect } from "../../src/execute/collect";
import type { EmbedReply, IndexedVector } from "../../src/plugin";
import { resultOf } from "../../src/request/result";
import { added, piecesOf, planFor, requestFor, routeTo } from "./opened";

const SIZE = 8;
const noUpstream = { embed: () => Promise.reject(new Error("No call in this test.")) };
const partOf = (count: number, from = 0): Part => ({
  pieces: piecesOf(
    Array.from({ length: count }, (_, i) => `text ${from + i}`),
    from,
  ),
});
const rightVectors = (part: Part, size = SIZE): IndexedVector[] =>
  part.pieces.map(({ input }, index) => ({ index, values: exactVector(String(input), size) }));

interface Proving {
  readonly reply?: Partial<EmbedReply>;
  readonly plan?: Partial<Plan>;
  readonly facts?: KnownFacts;
  readonly model?: string;
}

function proved(part: Part, vectors: readonly IndexedVector[], changed: Proving = {}): Answered {
  const route = routeTo(noUpstream, changed.model ?? "some-model", {
    facts: { dimensions: SIZE, ...changed.facts },
  });
  const reply: EmbedReply = { vectors, tokens: 5, tokensSource: "provider", ...changed.reply };
  return prove(reply, part, planFor([], route, { pieces: part.pieces, ...changed.plan }), route.targets[0]);
}

function refused(
  part: Part,
  vectors: readonly IndexedVector[],
  changed: Proving = {},
  kind: GatewayError["kind"] = "malformed",
): string {
  try {
    proved(part, vectors, changed);
  } catch (thrown) {
    if (!(thrown instanceof GatewayError)) throw thrown;
    expect(thrown.kind).toBe(kind);
    return thrown.message;
  }
  throw new Error("It was proved.");
}

const counts = fc.integer({ min: 1, max: 12 });

describe("prove", () => {
  test("any order with true indices is put right", () => {
    const shuffledParts = counts.chain((count) => {
      const part = partOf(count, 100);
      const order = fc.shuffledSubarray(rightVectors(part), { minLength: count });
      return order.map((vectors) => ({ part, vectors }));
    });
    fc.assert(
      fc.property(shuffledParts, ({ part, vectors }) => {
        expect(proved(part, vectors).vectors).toEqual(rightVectors(part).map(({ values }) => values));
      }),
    );
  });

  test("any set of indices that is no permutation is refused", () => {
    const indices = fc.array(
      fc.oneof(fc.integer({ min: -2, max: 8 }), fc.double(), fc.constant(Number.NaN)),
      {
        minLength: 1,
        maxLength: 7,
      },
    );
    fc.assert(
      fc.property(indices, counts, (given, count) => {
        const sorted = [...given].sort((a, b) => a - b);
        fc.pre(!(given.length === count && sorted.every((index, place) => index === place)));
        const vectors = given.map((index) => ({ index, values: exactVector(`${index}`, SIZE) }));
        refused(partOf(count), vectors);
      }),
    );
  });

  test("any one vector of another size is refused, wherever it stands", () => {
    fc.assert(
      fc.property(counts, fc.nat(), fc.integer({ min: 0, max: 20 }), (count, pick, size) => {
        fc.pre(size !== SIZE);
        const part = partOf(count);
        const vectors = rightVectors(part).map((vector) =>
          vector.index === pick % count ? { ...vector, values: exactVector("other", size) } : vector,
        );
        expect(refused(part, vectors)).toContain(`${size} dimensions`);
      }),
    );
  });

  test("any number that is not finite is refused, wherever it is", () => {
    const notFinite = fc.constantFrom(Number.NaN, Number.POSITIVE_INFINITY, Number.NEGATIVE_INFINITY);
    fc.assert(
      fc.property(counts, fc.nat(), fc.nat(SIZE - 1), notFinite, (count, pick, at, value) => {
        const part = partOf(count);
        const vectors = rightVectors(part);
        const spoiled = vectors[pick % count]?.values;
        if (spoiled) spoiled[at] = value;
        expect(refused(part, vectors)).toContain("not finite");
      }),
    );
  });

  const part = partOf(2);
  const [first, second] = rightVectors(part);
  const WRONG: readonly (readonly [string, readonly unknown[], RegExp])[] = [
    [
      "zeros for all of several texts",
      [0, 1].map((index) => ({ index, values: new Float32Array(SIZE) })),
      /all zeros/,
    ],
    ["nothing", [], /0 vectors came back for 2/],
    ["one too few", [first], /1 vectors/],
    ["one too many", [first, second, { ...second, index: 2 }], /3 vectors/],
    ["the same index twice", [first, first], /index 0 twice/],
    ["an index as a string", [first, { ...second, index: "1" }], /index 1/],
    ["numbers in a plain array", [first, { index: 1, values: Array(SIZE).fill(0.3) }], /Float32Array/],
    ["bytes instead of floats", [first, { index: 1, values: new Uint8Array(SIZE).fill(1) }], /Float32Array/],
    [
      "doubles instead of floats",
      [first, { index: 1, values: new Float64Array(SIZE).fill(1) }],
      /Float32Array/,
    ],
  ];
  test.each(WRONG)("%s is refused, and says so", (_, vectors, words) => {
    // No compiler checks the values of an external plugin.
    const reply: Partial<EmbedReply> = Object({ vectors });
    expect(refused(part, [], { reply })).toMatch(words);
  });

  test("vectors without numbers are refused, even if the dimensions are unknown", () => {
    refused(part, rightVectors(part, 0), { facts: { dimensions: undefined } });
  });

  test("if the dimensions are unknown, all vectors of the reply must have the same", () => {
    const vectors = [...rightVectors(partOf(1), 5), { index: 1, values: exactVector("x", 6) }];
    const unknown = { facts: { dimensions: undefined } };
    refused(part, vectors, unknown);
    expect(proved(part, rightVectors(part, 5), unknown).vectors[0]).toHaveLength(5);
  });

  test("a vector that is cut must be valid in the removed part too", () => {
    const cut: Proving = {
      plan: { requestedDimensions: 4, dimensions: 4 },
      facts: { dimensions_policy: "truncate" },
    };
    expect(proved(part, rightVectors(part), cut).vectors[0]).toHaveLength(4);
    const vectors = rightVectors(part);
    if (vectors[1]) vectors[1].values[SIZE - 1] = Number.NEGATIVE_INFINITY;
    expect(refused(part, vectors, cut)).toContain("not finite");
  });

  test("requested dimensions must have been returned", () => {
    const asked = {
      plan: { requestedDimensions: 4, dimensions: 4 },
      facts: { dimensions_allowed: { min: 1, max: SIZE } },
    };
    refused(part, rightVectors(part, SIZE), asked);
    const { vectors } = proved(part, rightVectors(part, 4), asked);
    expect(vectors[0]).toEqual(exactVector("text 0", 4));
  });
});

describe("the model's name in a reply", () => {
  const part = partOf(1);
  const as = (model: string, replied: string, facts?: KnownFacts): Proving => ({
    model,
    reply: { model: replied },
    ...(facts && { facts }),
  });

  test.each([
    ["text-embedding-3-small", "text-embedding-3-large"],
    ["text-embedding-3-small", "text-embedding-ada-002-v2"],
    ["text-embedding-ada-002", "openai/text-embedding-3-small"],
  ])("asked for %s, an answer of %s is foreign", (asked, replied) => {
    expect(refused(part, rightVectors(part), as(asked, replied))).toContain(replied);
  });

  test.each([
    ["text-embedding-3-small", "text-embedding-3-small"],
    ["text-embedding-3-small", "openai/text-embedding-3-small"],
    ["text-embedding-ada-002", "text-embedding-ada-002-v2"],
    ["text-embedding-3-small", "a deployment's own name"],
    ["my-model", "text-embedding-3-large"],
  ])("asked for %s, an answer of %s is its own", (asked, replied) => {
    expect(proved(part, rightVectors(part), as(asked, replied)).vectors).toHaveLength(1);
  });

  test("a name that the routing file allows is accepted", () => {
    const facts = { reply_names: ["text-embedding-3-large"] };
    const changed = as("text-embedding-3-small", "text-embedding-3-large", facts);
    expect(proved(part, rightVectors(part), changed).vectors).toHaveLength(1);
  });

  test("a long name is shortened in the error", () => {
    const message = refused(part, rightVectors(part), as("text-embedding-3-small", "text-embedding-3-large"));
    expect(message.length).toBeLessThan(250);
  });
});

describe("dimensions and length", () => {
  const raw = fc.array(fc.double({ min: -100, max: 100, noNaN: true }), { minLength: SIZE, maxLength: SIZE });

  test("a vector that is cut has unit length again, in the direction of its start", () => {
    fc.assert(
      fc.property(raw, fc.integer({ min: 1, max: SIZE - 1 }), (numbers, dimensions) => {
        const values = Float32Array.from(numbers);
        const norm = Math.hypot(...values.subarray(0, dimensions));
        fc.pre(norm > 1e-3);
        const [vector] = proved(partOf(1), [{ index: 0, values }], { plan: { dimensions } }).vectors;
        expect(vector).toHaveLength(dimensions);
        for (const [i, value] of (vector ?? new Float32Array()).entries())
          expect(value).toBeCloseTo((values[i] ?? 0) / norm, 5);
      }),
    );
  });

  test.each([3e38, 1e-40])("numbers as far out as %d still have a finite length", (number) => {
    const values = new Float32Array(SIZE).fill(number);
    const [vector] = proved(partOf(1), [{ index: 0, values }], { facts: { normalized: true } }).vectors;
    expect(Math.hypot(...(vector ?? []))).toBeCloseTo(1, 3);
  });

  test("a start of zeros cannot be scaled to unit length, and is refused", () => {
    const values = Float32Array.of(0, 0, 0, 0, 1, 0, 0, 0);
    const changed = { plan: { dimensions: 4 } };
    expect(refused(partOf(1), [{ index: 0, values }], changed, "no_vector")).toContain("only zeros");
  });
});

describe("collect", () => {
  const plannedFor = (count: number) =>
    planFor(
      partOf(count).pieces.map(({ input }) => input),
      routeTo(noUpstream, "m"),
    );
  /** An answered part with some of a plan's pieces. */
  const answered = (
    plan: Plan,
    from: number,
    to: number,
    changed: Partial<Answered> & { readonly values?: (place: number) => Float32Array } = {},
  ): Answered => {
    const pieces = plan.pieces.slice(from, to);
    const { values = (place) => exactVector(`text ${place}`, SIZE), ...rest } = changed;
    return {
      part: { pieces },
      provider: "p",
      vectors: pieces.map(({ place }) => values(place)),
      tokens: pieces.length,
      tokensSource: "provider",
      truncated: [],
      averaged: [],
      ...rest,
    };
  };
  /** By index, once every part was added. */
  function collected(plan: Plan, parts: readonly Answered[]): readonly Embedded[] {
    const collection = collect(plan);
    const all = new Map<number, Embedded>();
    for (const part of parts) for (const [place, one] of added(collection, part)) all.set(place, one);
    collection.assertComplete();
    return [...all].sort(([a], [b]) => a - b).map(([, one]) => one);
  }

  test("parts in any order come together in the request's order", () => {
    const plan = plannedFor(6);
    const answers = [answered(plan, 3, 5), answered(plan, 0, 3), answered(plan, 5, 6)];
    fc.assert(
      fc.property(fc.shuffledSubarray(answers, { minLength: 3 }), (given) => {
        const embedded = collected(plan, given);
        expect(embedded.map(({ values }) => values)).toEqual(
          rightVectors(partOf(6)).map(({ values }) => values),
        );
        expect(embedded.reduce((sum, { tokens }) => sum + tokens, 0)).toBe(6);
      }),
    );
  });

  test("each input is passed on with the part that completes it", () => {
    const plan = planFor([], routeTo(noUpstream, "m"), {
      pieces: [
        { input: "a", place: 0, weight: 1 },
        { input: "b", place: 1, weight: 3 },
        { input: "c", place: 1, weight: 1 },
      ],
    });
    const [x, y] = [Float32Array.of(1, 0), Float32Array.of(0, 1)];
    const collection = collect(plan);
    const first = added(collection, answered(plan, 0, 2, { values: () => x, tokens: 4 }));
    expect([...first.keys()]).toEqual([0]);
    expect(() => collection.assertComplete()).toThrow("lost track");
    const second = added(collection, answered(plan, 2, 3, { values: () => y, tokens: 1 }));
    const averaged = second.get(1);
    // Three tokens one way and one the other.
    expect(averaged?.values[0]).toBeCloseTo(3 / Math.sqrt(10), 6);
    expect(averaged?.values[1]).toBeCloseTo(1 / Math.sqrt(10), 6);
    expect(averaged).toMatchObject({ averaged: true, truncated: false, tokens: 3 });
    expect(first.get(0)).toMatchObject({ averaged: false, tokens: 2 });
    collection.assertComplete();
  });

  test("pieces with the largest float32 numbers have a mean too, or none and the error names the input", () => {
    const pieces = [1, 2].map((_, i) => ({ input: `piece ${i}`, place: 5, weight: 8_000 }));
    const plan = planFor([], routeTo(noUpstream, "m"), { pieces });
    const mean = (...xs: readonly number[]) => {
      const vectors = xs.map((x) => Float32Array.of(x, 0));
      return added(collect(plan), answered(plan, 0, 2, { vectors })).get(5)?.values;
    };
    expect(mean(3e38, 3e38)).toEqual(Float32Array.of(1, 0));
    expect(mean(1e-40, 1e-40)).toEqual(Float32Array.of(1, 0));
    expect(() => mean(1, -1)).toThrow(expect.objectContaining({ kind: "malformed", input: 5 }));
  });

  const OURS: readonly (readonly [string, (plan: Plan) => readonly Answered[]])[] = [
    ["a part that is missing", (plan) => [answered(plan, 0, 1)]],
    ["a part that is there twice", (plan) => [answered(plan, 0, 2), answered(plan, 0, 2)]],
    ["a piece of another plan", () => [answered(plannedFor(2), 0, 2)]],
    ["a vector too few", (plan) => [answered(plan, 0, 2, { vectors: [exactVector("a", SIZE)] })]],
    [
      "two sizes",
      (plan) => [answered(plan, 0, 1), answered(plan, 1, 2, { values: () => exactVector("a", 3) })],
    ],
  ];
  test.each(OURS)("%s is a bug of ours and never an answer", (_, parts) => {
    const plan = plannedFor(2);
    expect(() => collected(plan, parts(plan))).toThrow("lost track");
  });

  test("a sum of tokens is as exact as its weakest part", () => {
    const sourceOf = (...sources: Answered["tokensSource"][]) => {
      const plan = plannedFor(sources.length);
      const embedded = collected(
        plan,
        sources.map((tokensSource, place) => answered(plan, place, place + 1, { tokensSource })),
      );
      const fresh = new Set(embedded.keys());
      return resultOf({ embedded, fresh }, requestFor(sources)).tokensSource;
    };
    expect(sourceOf("provider", "provider")).toBe("provider");
    expect(sourceOf("provider", "header")).toBe("header");
    expect(sourceOf("counted", "header")).toBe("counted");
    expect(sourceOf("provider", "estimated", "counted")).toBe("estimated");
  });

  test.each([
    ["one too few", [5]],
    ["one too many", [2, 2, 1]],
    ["another sum", [2, 2]],
    ["no whole number", [2.5, 2.5]],
    ["less than nothing", [6, -1]],
    ["no list", 5],
  ])("tokens by input, %s: nothing of such an answer can be believed", (_, tokensByInput) => {
    const reply: Partial<EmbedReply> = { tokens: 5, ...JSON.parse(JSON.stringify({ tokensByInput })) };
    expect(refused(partOf(2), rightVectors(partOf(2)), { reply })).toContain("tokens of its inputs");
  });

  test("a plugin's count of each input is its own, and exact when it is reported again", () => {
    const plan = plannedFor(2);
    const reply = { tokens: 5, tokensByInput: [1, 4] };
    const collected = added(collect(plan), proved(plan, rightVectors(plan), { reply }));
    expect([...collected.values()]).toMatchObject([
      { tokens: 1, tokensSource: "provider", tokensShared: false },
      { tokens: 4, tokensSource: "provider", tokensShared: false },
    ]);
  });

  test.each([undefined, -1, 1.5, Number.NaN, Number.POSITIVE_INFINITY])(
    "a count of %p tokens is no count: it is estimated, and says so",
    (tokens) => {
      const answer = proved(partOf(1), rightVectors(partOf(1)), { reply: { tokens } });
      expect(answer.tokensSource).toBe("estimated");
      expect(answer.tokens).toBeGreaterThan(0);
    },
  );
});
