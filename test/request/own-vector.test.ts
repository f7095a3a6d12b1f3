/**
 * The main promise, over HTTP: whatever is requested, however it is split into calls and in whatever order answers come, each input
 * gets its own vector or the request gets an error. The expected result is computed here, from the inputs alone.
 */
import { describe, expect, test } from "bun:test";
import fc from "fast-check";
import { lengthOf } from "../../src/execute/assemble";
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

/** The longest piece of an input; with an unknown vocabulary a token is two bytes. */
function piecesOf(input: Asked, tokensMax: number | null): Asked[] {
  if (tokensMax === null) return [input];
  if (typeof input !== "string") {
    return Array.from({ length: Math.ceil(input.length / tokensMax) }, (_, i) =>
      input.slice(i * tokensMax, (i + 1) * tokensMax),
    );
  }
  const pieces: string[] = [""];
  for (const character of input) {
    const last = `${pieces.at(-1)}${character}`;
    if (Buffer.byteLength(last) > 2 * tokensMax) pieces.push(character);
    else pieces[pieces.length - 1] = last;
  }
  return pieces;
}

const weightOf = (piece: Asked) => (typeof piece === "string" ? Buffer.byteLength(piece) : piece.length);
const vectorOf = (piece: Asked) => vectorFor(piece, [undefined, undefined]);

function meanOf(pieces: readonly Asked[]): number[] {
  const sum = new Float64Array(SIZE);
  for (const piece of pieces) {
    for (const [i, number] of vectorOf(piece).entries()) sum[i] = (sum[i] ?? 0) + number * weightOf(piece);
  }
  const norm = lengthOf(sum);
  return [...sum].map((number) => number / norm);
}

const yamlOf = ({ limits: known, cache }: { limits: Limits; cache: boolean }) =>
  routing({
    cache: cache ? "{ memory_mb: 1 }" : "false",
    model: Object.entries(known)
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
      fc.asyncProperty(scenario, async ({ inputs: asked, limits: known, cache, before, chance }) => {
        await using open = await openBefore(yamlOf({ limits: known, cache }));
        answerByChance(open, chance[Symbol.iterator](), known.max_inputs);
        const all: Asked[] = [...asked];
        if (before > 0) await open.post({ model: "m", input: all.filter((_, i) => i % 7 < before) });
        const sent = await open.post({ model: "m", input: all });
        const pieces = all.map((input) => piecesOf(input, known.max_input_tokens));
        const long = [...pieces.keys()].filter((place) => (pieces[place]?.length ?? 0) > 1);
        if (known.long_input === "reject" && long.length > 0) {
          const places = long.map((place) => (all.length > 1 ? `input[${place}]` : "input"));
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
          if (own.length > 1 && known.long_input === "average") {
            for (const [i, number] of meanOf(own).entries())
              expect(vectors[place]?.[i]).toBeCloseTo(number, 5);
          } else expect(vectors[place]).toEqual([...vectorOf(first)]);
        }
        const told = known.long_input === "average" ? "averaged" : "truncated";
        expect(sent.headers.get(`x-embedgate-${told}`)).toBe(long.length > 0 ? long.join(",") : null);
        seen.answered += 1;
        if (long.length > 0) seen[told] += 1;
      }),
      { numRuns: 80 },
    );
    // Each way to end occurred, so that none of the checks above is vacuous.
    for (const count of Object.values(seen)) expect(count).toBeGreaterThan(3);
  });
});
