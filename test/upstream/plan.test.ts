/**
 * How a request becomes calls: every input in exactly one part, in order, within every limit; what is too long is found before.
 * A new limit on a call is a property here.
 */
import { describe, expect, test } from "bun:test";
import fc from "fast-check";
import { plan, split } from "../../src/plan";
import type { Input } from "../../src/plugin";
import type { Tokens } from "../../src/tokens/tokens";
import { failureOf } from "../plugins/conformance/subject";
import { requestFor, routeTo } from "./opened";

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
const sum = (inputs: readonly Input[], of: (input: Input) => number) =>
  inputs.reduce((total, input) => total + of(input), 0);

describe("split", () => {
  test("every input is in exactly one part, in order, and its place is its own", () => {
    fc.assert(
      fc.property(inputLists, limits, (inputs, facts) => {
        const parts = split(inputs, facts);
        expect(parts.flatMap(({ places }) => places)).toEqual([...inputs.keys()]);
        expect(parts.flatMap((part) => part.inputs)).toEqual([...inputs]);
        expect(parts.every((part) => part.inputs.length === part.places.length)).toBe(true);
        expect(parts.every((part) => part.inputs.length > 0)).toBe(true);
      }),
    );
  });

  test("no part is over any limit, but for one input that is so alone", () => {
    fc.assert(
      fc.property(inputLists, limits, (inputs, facts) => {
        for (const part of split(inputs, facts)) {
          expect(part.inputs.length).toBeLessThanOrEqual(facts.max_inputs);
          if (part.inputs.length === 1) continue;
          expect(sum(part.inputs, tokensAtMost)).toBeLessThanOrEqual(facts.max_call_tokens ?? Infinity);
          expect(sum(part.inputs, bytesOf)).toBeLessThanOrEqual(facts.max_call_bytes ?? Infinity);
        }
      }),
    );
  });

  test("no two neighbours would have fitted into one part", () => {
    fc.assert(
      fc.property(inputLists, limits, (inputs, facts) => {
        const parts = split(inputs, facts);
        for (const [i, part] of parts.entries()) {
          const next = parts[i + 1]?.inputs[0];
          if (next === undefined) continue;
          const grown = [...part.inputs, next];
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
    const parts = split(Array(5000).fill("a"), { max_inputs: 2048 });
    expect(parts.map(({ inputs }) => inputs.length)).toEqual([2048, 2048, 904]);
  });
});

/** Counts a word as a token, and decodes ids as "<id> <id>"; each call is kept. */
function wordTokens(): Tokens & { readonly counted: string[] } {
  const counted: string[] = [];
  return {
    counted,
    decode: async (_, lists) => lists.map((list) => [...list].map((id) => `<${id}>`).join(" ")),
    count: async (_, texts, limit) => {
      counted.push(...texts);
      return texts.map((words) => Math.min(limit + 1, words.split(" ").length));
    },
    close: () => undefined,
  };
}

describe("plan", () => {
  test("a text over the limit is refused by its place before anything is sent", async () => {
    const route = routeTo(noUpstream, "m", { facts: { max_input_tokens: 3 } });
    const request = requestFor(["a b c", "d", "e f g h"]);
    const failure = await failureOf(plan(request, route, wordTokens()));
    expect(failure).toMatchObject({ kind: "input_too_long", input: 2 });
    expect(failure.message).toContain("at most 3");
  });

  test("a text of no more bytes than the limit has tokens is not counted at all", async () => {
    const tokens = wordTokens();
    const route = routeTo(noUpstream, "m", { facts: { max_input_tokens: 5 } });
    await plan(requestFor(["abcde", "abc def", "ééé"]), route, tokens);
    expect(tokens.counted).toEqual(["abc def", "ééé"]);
  });

  test("a plugin that counts tokens itself is left to it", async () => {
    const tokens = wordTokens();
    const route = routeTo(noUpstream, "m", {
      facts: { max_input_tokens: 1 },
      provider: { countsTokens: true },
    });
    expect((await plan(requestFor(["a b c"]), route, tokens)).parts).toHaveLength(1);
    expect(tokens.counted).toEqual([]);
  });

  test("token arrays are decoded for a provider of texts, and said to be", async () => {
    const request = requestFor([Uint32Array.of(7, 8), Uint32Array.of(9)]);
    const decoded = await plan(request, routeTo(noUpstream, "m"), wordTokens());
    expect(decoded.parts.flatMap(({ inputs }) => inputs)).toEqual(["<7> <8>", "<9>"]);
    expect(decoded.decodedWith).toBe("cl100k_base");
    const native = routeTo(noUpstream, "m", { facts: { token_ids: "native" } });
    const kept = await plan(request, native, wordTokens());
    expect(kept.parts.flatMap(({ inputs }) => inputs)).toEqual([...request.inputs]);
    expect(kept.decodedWith).toBeUndefined();
  });

  test("a token array over the limit is refused by its own length", async () => {
    const route = routeTo(noUpstream, "m", { facts: { token_ids: "native", max_input_tokens: 2 } });
    const request = requestFor([Uint32Array.of(1, 2), Uint32Array.of(1, 2, 3)]);
    const failure = await failureOf(plan(request, route, wordTokens()));
    expect(failure).toMatchObject({ kind: "input_too_long", input: 1 });
    expect(failure.message).toContain("3 tokens");
  });

  test("the provider is asked for a size only where it makes that size itself", async () => {
    const asked = async (dimensions: number | undefined, facts: Parameters<typeof routeTo>[2]) => {
      const planned = await plan(
        requestFor(["a"], { dimensions }),
        routeTo(noUpstream, "m", facts),
        wordTokens(),
      );
      return [planned.askedDimensions, planned.dimensions];
    };
    const native = { facts: { dimensions: 8, dimensions_allowed: { min: 1, max: 8 } } };
    const listed = { facts: { dimensions: 8, dimensions_allowed: [4, 8] } };
    const truncated = { facts: { dimensions: 8, dimensions_policy: "truncate" as const } };
    expect(await asked(4, native)).toEqual([4, 4]);
    expect(await asked(4, listed)).toEqual([4, 4]);
    expect(await asked(4, truncated)).toEqual([undefined, 4]);
    expect(await asked(undefined, native)).toEqual([undefined, 8]);
    expect(await asked(8, { facts: { dimensions: 8 } })).toEqual([undefined, 8]);
  });
});
