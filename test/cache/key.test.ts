/**
 * Which inputs share a cached vector and which must not. A new thing that affects vectors is a row of DECIDES; one that does not, of DOES_NOT.
 * Other gateways get the two rows about token arrays wrong.
 */
import { describe, expect, test } from "bun:test";
import fc from "fast-check";
import { cacheKeys, keyedBy, passingKeys } from "../../src/cache/key";
import { keysFor, ownKeys } from "../../src/cache/request-keys";
import { completeFacts, type KnownFacts } from "../../src/domain/facts";
import type { EmbedRequest } from "../../src/domain/request";
import { withTask } from "../../src/domain/tasks";
import type { Input } from "../../src/plugin";
import { requestFor } from "../execute/opened";

interface Asked {
  readonly request: EmbedRequest;
  readonly model: { readonly id: string; readonly space: string; readonly facts: KnownFacts };
  readonly workspace: string | null;
}

const USUAL: Asked = {
  request: requestFor(["a text"], { model: "small" }),
  model: {
    id: "small",
    space: "small-space",
    facts: { dimensions: 8, dimensions_allowed: { min: 2, max: 8 }, max_input_tokens: 512 },
  },
  workspace: "acme",
};

function made(by: typeof cacheKeys, { request, model, workspace }: Asked): readonly string[] {
  const route = { ...model, facts: completeFacts(model.facts) };
  return by(keyedBy(request, route, workspace), request.inputs);
}

const asking = (change: Partial<EmbedRequest>): Asked => ({
  ...USUAL,
  request: { ...USUAL.request, ...change },
});
const forTask = (word: string, field = "input_type"): Asked =>
  asking(withTask({ ...USUAL.request, fields: { [field]: word } }));
const of = (facts: KnownFacts): Asked => ({
  ...USUAL,
  model: { ...USUAL.model, facts: { ...USUAL.model.facts, ...facts } },
});
const text = (...inputs: Input[]) => asking({ inputs });

const DECIDES: readonly (readonly [string, Asked, Asked?])[] = [
  ["another text", text("another text")],
  ["another letter case", text("A text")],
  ["a space at the end", text("a text ")],
  [
    "a text that looks like a token array, and that token array",
    text("[2790, 66]"),
    text(Uint32Array.of(2790, 66)),
  ],
  ["a text of the same bytes as a token array", text("a\0\0\0"), text(Uint32Array.of(97))],
  ["another token", text(Uint32Array.of(2790, 66)), text(Uint32Array.of(2790, 67))],
  ["the empty text and no token", text(""), text(Uint32Array.of())],
  ["composed and decomposed letters", text("é"), text("e\u0301")],
  ["half of a character, and the sign that stands for such", text("a\ud800"), text("a\ufffd")],
  ["two halves of different characters", text("\ud800"), text("\ud801")],
  ["another size", asking({ dimensions: 4 })],
  ["a size, and another one", asking({ dimensions: 4 }), asking({ dimensions: 5 })],
  ["a task", forTask("query")],
  ["another task", forTask("query"), forTask("document")],
  ["a word of a model's own", forTask("query"), forTask("query-v2")],
  ["the same word in another field", forTask("query"), asking({ fields: { title: "query" } })],
  ["a field that is null", asking({ fields: { title: null } })],
  ["a field that no object has of itself", asking({ fields: JSON.parse('{"__proto__": 1}') })],
  ["something merged into the body", asking({ extraBody: { truncate: "END" } })],
  [
    "the same as a field and in the body",
    asking({ fields: { truncate: "END" } }),
    asking({ extraBody: { truncate: "END" } }),
  ],
  ["lists in another order", asking({ extraBody: { a: [1, 2] } }), asking({ extraBody: { a: [2, 1] } })],
  ["a number and its text", asking({ extraBody: { a: 1 } }), asking({ extraBody: { a: "1" } })],
  ["another workspace", { ...USUAL, workspace: "other" }],
  ["shared by all, and a workspace", { ...USUAL, workspace: null }],
  ["shared by all, and a workspace named so", { ...USUAL, workspace: null }, { ...USUAL, workspace: "null" }],
  ["another space", { ...USUAL, model: { ...USUAL.model, space: "large-space" } }],
  ["another model of the same space", { ...USUAL, model: { ...USUAL.model, id: "large" } }],
  ["long texts averaged, and refused", of({ long_input: "average" })],
  ["long texts cut, and averaged", of({ long_input: "average" }), of({ long_input: "truncate" })],
  ["long texts cut elsewhere", of({ max_input_tokens: 256 })],
  ["normalised by the gateway", of({ normalized: false })],
  ["token ids of the model's own", of({ token_ids: "native" })],
  ["sizes that the gateway cuts, and that the model makes", of({ dimensions_allowed: [8] })],
];

const DOES_NOT: readonly (readonly [string, Asked, Asked?])[] = [
  ["the encoding of the answer", asking({ encoding: "base64" })],
  ["the alias it was asked by", asking({ model: "docs" })],
  ["the end user", asking({ user: "somebody" })],
  ["the vendor whose word a task is said in", forTask("query"), forTask("RETRIEVAL_QUERY", "task_type")],
  ["metadata", asking({ metadata: { batch: 7 } })],
  ["the model's own size, named or not", asking({ dimensions: 8 })],
  [
    "the order of fields",
    asking({ fields: { a: 1, b: { c: 2, d: 3 } } }),
    asking({ fields: { b: { d: 3, c: 2 }, a: 1 } }),
  ],
  [
    "the order of what is merged",
    asking({ extraBody: { a: 1, b: 2 } }),
    asking({ extraBody: { b: 2, a: 1 } }),
  ],
  ["the price", of({ price: 0.02 })],
  ["how a call is cut", of({ max_inputs: 1, max_call_tokens: 9 })],
  ["how vectors are asked of the provider", of({ wire_encoding: "base64" })],
  [
    "where in memory the token ids are",
    text(Uint32Array.of(2790, 66)),
    text(Uint32Array.of(1, 2790, 66, 2).subarray(1, 3)),
  ],
];

describe.each([
  ["kept", cacheKeys],
  ["only under way", passingKeys],
] as const)("the key of an input that is %s", (_, by) => {
  const keysOf = (asked: Asked) => made(by, asked);

  test.each([...DECIDES])("differs: %s", (_, one, other = USUAL) => {
    expect(keysOf(one)).not.toEqual(keysOf(other));
  });

  test.each([...DOES_NOT])("is the same: %s", (_, one, other = USUAL) => {
    expect(keysOf(one)).toEqual(keysOf(other));
  });

  test("does not depend on the other inputs, and there is one for each input in order", () => {
    const together = keysOf(text("a", "b", "a"));
    expect(together).toEqual([...keysOf(text("a")), ...keysOf(text("b")), ...keysOf(text("a"))]);
  });

  test("of a body that is nested too deeply to be written is the caller's error", () => {
    let nested: unknown = 1;
    for (let i = 0; i < 200_000; i++) nested = { nested };
    expect(() => keysOf(asking({ extraBody: { nested } }))).toThrow("nested too deeply");
  });

  test("two inputs share one only if they are the same, whatever they contain", () => {
    const input = fc.oneof(
      fc.string({ unit: "binary", maxLength: 6 }),
      fc.constantFrom(
        "x".repeat(512),
        "x".repeat(513),
        "x".repeat(514),
        "\ud800",
        "\udfff",
        "\ufffd",
        "",
        "[]",
        "[1]",
        "\u0001\0\0\0",
      ),
      fc.array(fc.constantFrom(0, 1, 97, 2 ** 32 - 1), { maxLength: 3 }).map((ids) => Uint32Array.from(ids)),
    );
    const same = (a: Input, b: Input) =>
      typeof a === "string" || typeof b === "string" ? a === b : String(a) === String(b);
    fc.assert(
      fc.property(input, input, (a, b) => {
        const [keyA, keyB] = keysOf(text(a, b));
        expect(keyA === keyB).toBe(same(a, b));
      }),
      { numRuns: 2_000 },
    );
  });

  test("two requests share one only if the fields merged into their bodies are the same", () => {
    fc.assert(
      fc.property(fc.jsonValue({ maxDepth: 3 }), fc.jsonValue({ maxDepth: 3 }), (a, b) => {
        const [one] = keysOf(asking({ extraBody: { a } }));
        const [other] = keysOf(asking({ extraBody: { a: b } }));
        // What is sent is JSON, where -0 is 0.
        const sent = (value: unknown) => JSON.parse(JSON.stringify(value));
        expect(one === other).toBe(Bun.deepEquals(sent(a), sent(b), true));
      }),
      { numRuns: 1_000 },
    );
  });
});

test("cached inputs have keys of 64 hexadecimal digits; inputs in flight only if the text is long", () => {
  const asked = text("", "a", "x".repeat(10_000));
  const isHash = (key: string) => /^[0-9a-f]{64}$/.test(key);
  expect(made(cacheKeys, asked).map(isHash)).toEqual([true, true, true]);
  expect(made(passingKeys, asked).map(isHash)).toEqual([false, false, true]);
});

test("the keys of a large request are made in several turns, and are the same", async () => {
  const route = { ...USUAL.model, facts: completeFacts(USUAL.model.facts) };
  let turns = 0;
  const turn = async () => {
    turns += 1;
  };
  const inputs = Array.from({ length: 100 }, (_, i) => String(i % 90).repeat(20_000));
  const of = (asked: readonly Input[], isKept: boolean) =>
    keysFor({ ...USUAL.request, inputs: asked }, route, "measured", undefined, null, isKept, { turn });
  for (const isKept of [true, false]) {
    const all = await of(inputs, isKept);
    expect(turns).toBeGreaterThan(2);
    turns = 0;
    const alone: string[] = [];
    for (const input of inputs) alone.push(...(await of([input], isKept)));
    expect([turns, all]).toEqual([0, alone]);
  }
  expect(await of([], true)).toEqual([]);
});

test("inputs that are never equal have a key each", () => {
  expect(new Set(ownKeys({ inputs: ["a", "a", "a"] })).size).toBe(3);
});
