/**
 * The cost of cache hits, duplicates and joined requests, and their token counts: shown in full, none upstream, billed by `hit_price`.
 * test/books/ledger.test.ts has the exactness of prices.
 */
import { describe, expect, test } from "bun:test";
import fc from "fast-check";
import { openBefore, routing, rowsOf } from "./vendor";

const words = (count: number, of = "word") => Array.from({ length: count }, () => of).join(" ");
const PICO_USD_A_TOKEN = 1_000_000;

describe("a hit", () => {
  test.each([
    [undefined, 31, 0],
    ["0", 31, 0],
    ["0.1", 30, 3],
    ["0.1", 31, 4],
    ["0.07", 100, 7],
    ["1e-7", 5, 1],
    ["0.333", 1_000, 333],
    ["1", 31, 31],
  ])("at a hit_price of %s, of %d tokens, is billed %d", async (price, tokens, billed) => {
    const hitPrice = price === undefined ? "" : `, hit_price: ${price}`;
    await using open = await openBefore(routing({ cache: `{ memory_mb: 8${hitPrice} }` }));
    for (const _ of ["miss", "hit"]) {
      const sent = await open.post({ model: "m", input: words(tokens) });
      expect(Object(sent.json).usage).toEqual({ prompt_tokens: tokens, total_tokens: tokens });
      expect(sent.headers.get("x-embedgate-usage")).toBeNull();
    }
    expect(rowsOf(open)).toMatchObject([
      {
        inputs: 1,
        cache_hits: 0,
        provider: "a",
        tokens,
        tokens_upstream: tokens,
        tokens_billed: tokens,
        cost_pico_usd: tokens * PICO_USD_A_TOKEN,
      },
      {
        inputs: 1,
        cache_hits: 1,
        provider: null,
        tokens,
        tokens_upstream: 0,
        tokens_billed: billed,
        cost_pico_usd: billed * PICO_USD_A_TOKEN,
        tokens_source: "provider",
        status: 200,
      },
    ]);
  });

  test("together with a miss is billed its own share, rounded once for the request", async () => {
    await using open = await openBefore(routing({ cache: "{ hit_price: 0.1 }" }));
    for (const of of ["a", "b", "c"]) await open.post({ model: "m", input: words(3, of) });
    const input = [words(3, "a"), words(3, "b"), words(3, "c"), words(5, "d")];
    await open.post({ model: "m", input });
    // A tenth of nine tokens, rounded up, and five.
    expect(rowsOf(open).at(-1)).toMatchObject({
      inputs: 4,
      cache_hits: 3,
      tokens: 14,
      tokens_upstream: 5,
      tokens_billed: 6,
    });
  });
});

test.each([
  ["{ hit_price: 0.5 }", 8],
  ["{ hit_price: 0 }", 4],
  ["false", 4],
])("two duplicates are billed as hits (cache: %s)", async (cache, billed) => {
  await using open = await openBefore(routing({ cache }));
  const { json } = await open.post({ model: "m", input: [words(4), words(4), words(4)] });
  expect(Object(json).usage.prompt_tokens).toBe(12);
  expect(rowsOf(open)).toMatchObject([
    { inputs: 3, cache_hits: 2, tokens: 12, tokens_upstream: 4, tokens_billed: billed },
  ]);
});

describe("a hit whose tokens are a share of a call's", () => {
  test("is marked as an estimate, and its shares add up to the count", async () => {
    await using open = await openBefore();
    const input = [words(2), words(3, "longerword"), words(7, "x")];
    const first = await open.post({ model: "m", input });
    expect([Object(first.json).usage.prompt_tokens, first.headers.get("x-embedgate-usage")]).toEqual([
      12,
      null,
    ]);
    let tokens = 0;
    for (const text of input) {
      const hit = await open.post({ model: "m", input: text });
      tokens += Object(hit.json).usage.prompt_tokens;
      expect(hit.headers.get("x-embedgate-usage")).toBe("estimated");
    }
    expect(tokens).toBe(12);
    expect(rowsOf(open).map((row) => row.tokens_source)).toEqual([
      "provider",
      "estimated",
      "estimated",
      "estimated",
    ]);
  });

  test("is an estimate in the request that made the call too, if an input occurs in it twice", async () => {
    await using open = await openBefore();
    const input = ["one", "two words", "one"];
    const sent = await open.post({ model: "m", input });
    expect(sent.headers.get("x-embedgate-usage")).toBe("estimated");
    expect(rowsOf(open)).toMatchObject([{ tokens_upstream: 3, tokens_source: "estimated" }]);
  });
});

test("whatever is requested, tokens upstream are the provider's count, and each column adds up", async () => {
  const texts = ["a", "b b", "c c c", "dd dd dd dd", "a bb ccc"];
  await fc.assert(
    fc.asyncProperty(
      fc.array(fc.array(fc.constantFrom(...texts), { minLength: 1, maxLength: 12 }), {
        minLength: 1,
        maxLength: 6,
      }),
      fc.integer({ min: 1, max: 4 }),
      async (requests, maxInputs) => {
        const yaml = routing({ cache: "{ hit_price: 1 }", model: `max_inputs: ${maxInputs}` });
        await using open = await openBefore(yaml);
        const shown: number[] = [];
        for (const input of requests) {
          const { json } = await open.post({ model: "m", input });
          shown.push(Object(json).usage.prompt_tokens);
        }
        const asked = open.vendor.calls.flatMap(({ input }) => input);
        // Nothing is sent twice, so each text's tokens were counted once.
        expect(new Set(asked).size).toBe(asked.length);
        const counted = asked.reduce((sum: number, text) => sum + String(text).split(" ").length, 0);
        const rows = rowsOf(open);
        expect(rows.reduce((sum, row) => sum + Number(row.tokens_upstream), 0)).toBe(counted);
        // At the full price, a hit is billed for the tokens that it shows.
        expect(rows.map((row) => [row.tokens, row.tokens_billed])).toEqual(shown.map((one) => [one, one]));
      },
    ),
    { numRuns: 25 },
  );
});
