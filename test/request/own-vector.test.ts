/**
 * The main promise, over HTTP: whatever is requested, however it is split into calls and in whatever order answers come, each input
 * gets its own vector or the request gets an error. The expected result is computed here, from the inputs alone.
 */
import { describe, expect, test } from "bun:test";
import fc from "fast-check";
import { lengthOf } from "../../src/execute/assemble";
import { mayHaveMore, slicesAtMost, tokensAtMost } from "../../src/tokens/at-most";
import { type CountingName, countTokens } from "../../src/tokens/vocabulary";
import {
  type Asked,
  type Call,
  type Opened,
  openBefore,
  type Reply,
  rightly,
  routing,
  SIZE,
  vectorFor,
  vectorsOf,
} from "./vendor";

/** One byte to four, so that limits in bytes fall inside characters. */
const text = fc.string({
  unit: fc.constantFrom("a", "b", " ", "é", "漢", "😀"),
  minLength: 1,
  maxLength: 20,
});
const ids = fc.array(fc.integer({ min: 0, max: 999 }), { minLength: 1, maxLength: 20 });
const inputs = fc.oneof(
  fc.array(text, { minLength: 1, maxLength: 300 }),
  fc.array(ids, { minLength: 1, maxLength: 300 }),
);

const limits = fc.record({
  max_inputs: fc.integer({ min: 1, max: 50 }),
  max_input_tokens: fc.option(fc.integer({ min: 2, max: 12 })),
  max_call_tokens: fc.option(fc.integer({ min: 1, max: 200 })),
  max_call_bytes: fc.option(fc.integer({ min: 1, max: 200 })),
  long_input: fc.constantFrom("reject", "truncate", "average"),
});
type Limits = typeof limits extends fc.Arbitrary<infer Value> ? Value : never;

const scenario = fc.record({
  inputs,
  limits,
  cache: fc.boolean(),
  /** How many of the inputs were requested before. */
  before: fc.nat(20),
  /** Which answers come late and shuffled, and which calls are too large for the provider. */
  chance: fc.infiniteStream(fc.nat(1_000)),
});

const known = {
  count: async (name: CountingName, texts: readonly string[], limit: number) =>
    texts.map((one) => countTokens(name, one, limit)),
};

/** Whether it may have more tokens; nobody knows the vocabulary. */
async function mayBeLong(input: Asked, tokensMax: number | null): Promise<boolean> {
  if (tokensMax === null) return false;
  if (typeof input !== "string") return input.length > tokensMax;
  const [isLong = false] = await mayHaveMore([input], tokensMax, known, undefined);
  return isLong;
}

/** What of an input goes in one piece: a character is the smallest. */
async function piecesOf(input: Asked, tokensMax: number | null): Promise<Asked[]> {
  if (tokensMax === null) return [input];
  if (typeof input !== "string") {
    return Array.from({ length: Math.ceil(input.length / tokensMax) }, (_, i) =>
      input.slice(i * tokensMax, (i + 1) * tokensMax),
    );
  }
  const isLong = await mayBeLong(input, tokensMax);
  for (let limit = tokensMax; isLong && limit > 0; limit = Math.floor(limit / 2)) {
    const pieces = slicesAtMost(input, limit).map((slice) => slice.text);
    if (pieces.length > 1 || limit < 2) return pieces;
  }
  return [input];
}

const weightOf = (piece: Asked) => (typeof piece === "string" ? tokensAtMost(piece) : piece.length);
const vectorOf = (piece: Asked) => vectorFor(piece, [undefined, undefined]);

function meanOf(pieces: readonly Asked[]): number[] {
  const sum = new Float64Array(SIZE);
  for (const piece of pieces) {
    for (const [i, number] of vectorOf(piece).entries()) sum[i] = (sum[i] ?? 0) + number * weightOf(piece);
  }
  const norm = lengthOf(sum);
  return [...sum].map((number) => number / norm);
}

const yamlOf = ({ limits: all, cache }: { limits: Limits; cache: boolean }) =>
  routing({
    cache: cache ? "{ memory_mb: 1 }" : "false",
    model: Object.entries(all)
      .filter(([, value]) => value !== null)
      .map(([name, value]) => `${name}: ${value}`)
      .join("\n    "),
  });

/** Late, in another order, and sometimes refused for too many tokens. */
function answerByChance(open: Opened, chance: Iterator<number>, most: number): void {
  const draw = () => Number(chance.next().value);
  open.vendor.answer = async ({ input }: Call, { data, tokens }: Reply) => {
    expect(input.length).toBeLessThanOrEqual(most);
    const refuses = input.length > 1 && draw() % 5 === 0;
    for (let turns = draw() % 6; turns > 0; turns--) await new Promise((resolve) => setImmediate(resolve));
    if (refuses)
      return Response.json({ error: { message: "", code: "max_tokens_per_request" } }, { status: 400 });
    const sorted = data.map((item) => ({ item, by: draw() })).sort((a, b) => a.by - b.by);
    return rightly({ data: sorted.map(({ item }) => item), tokens });
  };
}

describe("whatever is requested", () => {
  test("each input has its own vector, in its own place", async () => {
    const seen = { answered: 0, refused: 0, averaged: 0, truncated: 0 };
    await fc.assert(
      fc.asyncProperty(scenario, async ({ inputs: asked, limits: limited, cache, before, chance }) => {
        await using open = await openBefore(yamlOf({ limits: limited, cache }));
        answerByChance(open, chance[Symbol.iterator](), limited.max_inputs);
        const all: Asked[] = [...asked];
        if (before > 0) await open.post({ model: "m", input: all.filter((_, i) => i % 7 < before) });
        const sent = await open.post({ model: "m", input: all });
        const pieces = await Promise.all(all.map((input) => piecesOf(input, limited.max_input_tokens)));
        const long = [...pieces.keys()].filter((place) => (pieces[place]?.length ?? 0) > 1);
        const tooLong = await Promise.all(all.map((input) => mayBeLong(input, limited.max_input_tokens)));
        if (limited.long_input === "reject" && tooLong.includes(true)) {
          const refused = [...all.keys()].filter((place) => tooLong[place]);
          const places = refused.map((place) => (all.length > 1 ? `input[${place}]` : "input"));
          expect([sent.status, places]).toEqual([
            400,
            expect.arrayContaining([Object(sent.json).error.param]),
          ]);
          seen.refused += 1;
          return;
        }
        expect(sent.status).toBe(200);
        const vectors = vectorsOf(sent);
        expect(vectors).toHaveLength(all.length);
        for (const [place, own] of pieces.entries()) {
          const [first = ""] = own;
          if (own.length > 1 && limited.long_input === "average") {
            for (const [i, number] of meanOf(own).entries())
              expect(vectors[place]?.[i]).toBeCloseTo(number, 5);
          } else expect(vectors[place]).toEqual([...vectorOf(first)]);
        }
        const told = limited.long_input === "average" ? "averaged" : "truncated";
        expect(sent.headers.get(`x-embedgate-${told}`)).toBe(long.length > 0 ? long.join(",") : null);
        seen.answered += 1;
        if (long.length > 0) seen[told] += 1;
      }),
      { numRuns: 80 },
    );
    // Each way to end occurred, so that none of the checks above is vacuous.
    for (const count of Object.values(seen)) expect(count).toBeGreaterThan(3);
  });

  test("a single character that may have more tokens than the limit goes whole, and is not told as cut", async () => {
    await using open = await openBefore(
      routing({ cache: "false", model: "max_input_tokens: 2\n    long_input: truncate" }),
    );
    const sent = await open.post({ model: "m", input: ["😀", "😀😀"] });
    expect(vectorsOf(sent)).toEqual([[...vectorOf("😀")], [...vectorOf("😀")]]);
    expect(sent.headers.get("x-embedgate-truncated")).toBe("1");
  });
});
