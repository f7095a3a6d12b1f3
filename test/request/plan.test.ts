/**
 * How a request becomes calls: every input in exactly one part, in order, within every limit; texts that are too long are found before.
 * A new limit on a call is a property here.
 */
import { describe, expect, test } from "bun:test";
import fc from "fast-check";
import { dimensionsToAsk } from "../../src/domain/dimensions";
import type { EmbedRequest, Part, Plan, Route } from "../../src/domain/request";
import { carve } from "../../src/execute/carve";
import type { Input } from "../../src/plugin";
import { plan } from "../../src/request/plan";
import type { Tokens } from "../../src/tokens/tokens";
import { piecesOf, requestFor, routeTo } from "../execute/opened";
import { failureOf } from "../plugins/conformance/subject";

const noUpstream = { embed: () => Promise.reject(new Error("No call in this test.")) };
const text = fc.oneof(fc.string({ maxLength: 30 }), fc.string({ unit: "grapheme", maxLength: 10 }));
const ids = fc.array(fc.nat(100), { minLength: 1, maxLength: 30 }).map((list) => Uint32Array.from(list));
const inputLists = fc.oneof(
  fc.array<Input>(text, { minLength: 1, maxLength: 60 }),
  fc.array<Input>(ids, { minLength: 1, maxLength: 60 }),
);
const limits = fc.record({
  max_inputs: fc.integer({ min: 1, max: 10 }),
  max_call_tokens: fc.option(fc.integer({ min: 1, max: 80 }), { nil: undefined }),
  max_call_bytes: fc.option(fc.integer({ min: 1, max: 80 }), { nil: undefined }),
});

const bytesOf = (input: Input) => (typeof input === "string" ? Buffer.byteLength(input) : 0);
const tokensAtMost = (input: Input) => (typeof input === "string" ? bytesOf(input) : input.length);
const inputsOf = ({ pieces }: Part | Plan) => pieces.map(({ input }) => input);
const planned = (request: EmbedRequest, route: Route, tokens: Tokens) =>
  plan(request, [...request.inputs.keys()], route, tokens);
const sum = (inputs: readonly Input[], of: (input: Input) => number) =>
  inputs.reduce((total, input) => total + of(input), 0);

describe("carve", () => {
  test("every input is in exactly one part, in order, with its own index", () => {
    fc.assert(
      fc.property(inputLists, limits, (inputs, facts) => {
        const parts = carve(piecesOf(inputs), facts);
        expect(parts.flatMap(({ pieces }) => pieces)).toEqual(piecesOf(inputs));
        expect(parts.every(({ pieces }) => pieces.length > 0)).toBe(true);
      }),
    );
  });

  test("no part exceeds a limit, except for a single input that does so alone", () => {
    fc.assert(
      fc.property(inputLists, limits, (inputs, facts) => {
        for (const part of carve(piecesOf(inputs), facts)) {
          const own = inputsOf(part);
          expect(own.length).toBeLessThanOrEqual(facts.max_inputs);
          if (own.length === 1) continue;
          expect(sum(own, tokensAtMost)).toBeLessThanOrEqual(facts.max_call_tokens ?? Infinity);
          expect(sum(own, bytesOf)).toBeLessThanOrEqual(facts.max_call_bytes ?? Infinity);
        }
      }),
    );
  });

  test("no two neighbouring parts would have fitted into one", () => {
    fc.assert(
      fc.property(inputLists, limits, (inputs, facts) => {
        const parts = carve(piecesOf(inputs), facts);
        for (const [i, part] of parts.entries()) {
          const next = parts[i + 1]?.pieces[0]?.input;
          if (next === undefined) continue;
          const grown = [...inputsOf(part), next];
          const fits =
            grown.length <= facts.max_inputs &&
            sum(grown, tokensAtMost) <= (facts.max_call_tokens ?? Infinity) &&
            sum(grown, bytesOf) <= (facts.max_call_bytes ?? Infinity);
          expect(fits).toBe(false);
        }
      }),
    );
  });

  test("without further limits 5,000 inputs are three calls of at most 2,048", () => {
    const parts = carve(piecesOf(Array(5000).fill("a")), { max_inputs: 2048 });
    expect(parts.map(({ pieces }) => pieces.length)).toEqual([2048, 2048, 904]);
  });
});

/** Takes a word for a token, and decodes ids as "<id> <id>"; records each text that it was asked about. */
function wordTokens(): Tokens & { readonly counted: string[] } {
  const counted: string[] = [];
  return {
    counted,
    mend: async (_, lists) => lists.map(() => undefined),
    decode: async (_, lists) => lists.map((list) => [...list].map((id) => `<${id}>`).join(" ")),
    count: async (_, texts, limit) => texts.map((words) => Math.min(limit + 1, words.split(" ").length)),
    cut: async (_, texts, limit, most) => {
      counted.push(...texts);
      return texts.map((text) => {
        const words = text.split(" ");
        if (words.length <= limit) return undefined;
        const cuts = Array.from({ length: Math.ceil(words.length / limit) }, (_none, i) => {
          const own = words.slice(i * limit, (i + 1) * limit);
          return { text: own.join(" "), tokens: own.length };
        });
        return most === "first" ? cuts.slice(0, 1) : cuts;
      });
    },
    encode: async () => [],
    close: () => undefined,
  };
}

const tokenizer = "cl100k_base" as const;

describe("plan", () => {
  test("a text over the limit is refused with its index before anything is sent", async () => {
    const route = routeTo(noUpstream, "m", { facts: { max_input_tokens: 3, tokenizer } });
    const request = requestFor(["a b c", "d", "e f g h"]);
    const failure = await failureOf(planned(request, route, wordTokens()));
    expect(failure).toMatchObject({ kind: "input_too_long", input: 2 });
    expect(failure.message).toContain("at most 3");
  });

  test("a text of no more bytes than the limit has tokens is not counted at all", async () => {
    const tokens = wordTokens();
    const route = routeTo(noUpstream, "m", { facts: { max_input_tokens: 5, tokenizer } });
    await planned(requestFor(["abcde", "abc def", "ééé"]), route, tokens);
    expect(tokens.counted).toEqual(["abc def", "ééé"]);
  });

  test("a plugin that counts tokens itself decides", async () => {
    const tokens = wordTokens();
    const route = routeTo(noUpstream, "m", {
      facts: { max_input_tokens: 1, tokenizer },
      provider: { countsTokens: true },
    });
    expect((await planned(requestFor(["a b c"]), route, tokens)).pieces).toHaveLength(1);
    expect(tokens.counted).toEqual([]);
  });

  test("with truncate a text over the limit is cut to it, and reported", async () => {
    const route = routeTo(noUpstream, "m", {
      facts: { max_input_tokens: 3, tokenizer, long_input: "truncate" },
    });
    const cut = await planned(requestFor(["a b c d e f g", "h", "i j k l"]), route, wordTokens());
    expect(inputsOf(cut)).toEqual(["a b c", "h", "i j k"]);
    expect(cut.pieces.map(({ place }) => place)).toEqual([0, 1, 2]);
    expect(cut.truncated).toEqual([0, 2]);
  });

  test("with average a text over the limit becomes pieces that are weighted by their tokens", async () => {
    const route = routeTo(noUpstream, "m", {
      facts: { max_input_tokens: 3, tokenizer, long_input: "average" },
    });
    const pieces = (await planned(requestFor(["x", "a b c d e f g"]), route, wordTokens())).pieces;
    expect(pieces).toEqual([
      { input: "x", place: 0, weight: 1 },
      { input: "a b c", place: 1, weight: 3 },
      { input: "d e f", place: 1, weight: 3 },
      { input: "g", place: 1, weight: 1 },
    ]);
  });

  test("token arrays over the limit are cut, averaged or refused by their own length", async () => {
    const facts = { token_ids: "native", max_input_tokens: 2 } as const;
    const request = requestFor([Uint32Array.of(1, 2), Uint32Array.of(1, 2, 3)]);
    const failure = await failureOf(planned(request, routeTo(noUpstream, "m", { facts }), wordTokens()));
    expect(failure).toMatchObject({ kind: "input_too_long", input: 1 });
    expect(failure.message).toContain("3 tokens");
    const truncate = routeTo(noUpstream, "m", { facts: { ...facts, long_input: "truncate" } });
    expect(inputsOf(await planned(request, truncate, wordTokens()))).toEqual([
      Uint32Array.of(1, 2),
      Uint32Array.of(1, 2),
    ]);
    const average = routeTo(noUpstream, "m", { facts: { ...facts, long_input: "average" } });
    expect((await planned(request, average, wordTokens())).pieces).toEqual([
      { input: Uint32Array.of(1, 2), place: 0, weight: 1 },
      { input: Uint32Array.of(1, 2), place: 1, weight: 2 },
      { input: Uint32Array.of(3), place: 1, weight: 1 },
    ]);
  });

  describe("if the vocabulary is unknown", () => {
    const facts = { max_input_tokens: 5 } as const;

    test("a text of up to two bytes per token is sent, a longer one refused", async () => {
      const route = routeTo(noUpstream, "m", { facts });
      expect((await planned(requestFor(["0123456789"]), route, wordTokens())).pieces).toHaveLength(1);
      const failure = await failureOf(planned(requestFor(["x", "0123456789a"]), route, wordTokens()));
      expect(failure).toMatchObject({ kind: "input_too_long", input: 1 });
      expect(failure.message).toContain("11 bytes");
    });

    test("uncounted: send leaves it to the provider", async () => {
      const route = routeTo(noUpstream, "m", { facts: { ...facts, uncounted: "send" } });
      expect(inputsOf(await planned(requestFor(["0123456789a"]), route, wordTokens()))).toEqual([
        "0123456789a",
      ]);
    });

    test("truncate and average cut by bytes, without splitting a character", () => {
      return fc.assert(
        fc.asyncProperty(fc.string({ unit: "grapheme", minLength: 1 }), async (text) => {
          const average = routeTo(noUpstream, "m", { facts: { ...facts, long_input: "average" } });
          const { pieces } = await planned(requestFor([text]), average, wordTokens());
          expect(pieces.map(({ input }) => input).join("")).toBe(text);
          for (const { input } of pieces) expect(bytesOf(input)).toBeLessThanOrEqual(10);
          const truncate = routeTo(noUpstream, "m", { facts: { ...facts, long_input: "truncate" } });
          const cut = await planned(requestFor([text]), truncate, wordTokens());
          expect(text.startsWith(String(cut.pieces[0]?.input))).toBe(true);
          expect(cut.truncated).toEqual(bytesOf(text) > 10 ? [0] : []);
        }),
      );
    });
  });

  test("token arrays are decoded for a provider of texts, and reported as such", async () => {
    const request = requestFor([Uint32Array.of(7, 8), Uint32Array.of(9)]);
    const decoded = await planned(request, routeTo(noUpstream, "m"), wordTokens());
    expect(inputsOf(decoded)).toEqual(["<7> <8>", "<9>"]);
    expect(decoded.decodedWith).toBe("cl100k_base");
    const native = routeTo(noUpstream, "m", { facts: { token_ids: "native" } });
    const kept = await planned(request, native, wordTokens());
    expect(inputsOf(kept)).toEqual([...request.inputs]);
    expect(kept.decodedWith).toBeUndefined();
  });

  test("only the requested inputs are planned, by their indices in the request", async () => {
    const request = requestFor(["a", "b", "c", "d"]);
    const some = await plan(request, [1, 3], routeTo(noUpstream, "m"), wordTokens());
    expect(some.pieces.map(({ input, place }) => [input, place])).toEqual([
      ["b", 1],
      ["d", 3],
    ]);
  });

  test("the provider is asked for dimensions only if it supports them itself", () => {
    const native = { dimensions: 8, dimensions_allowed: { min: 1, max: 8 } };
    expect(dimensionsToAsk(4, native)).toBe(4);
    expect(dimensionsToAsk(4, { dimensions: 8, dimensions_allowed: [4, 8] })).toBe(4);
    expect(dimensionsToAsk(4, { dimensions: 8, dimensions_policy: "truncate" })).toBeUndefined();
    expect(dimensionsToAsk(undefined, native)).toBeUndefined();
    expect(dimensionsToAsk(8, { dimensions: 8 })).toBeUndefined();
  });
});
