/** Charges are whole micro-credits, costs are not: the sum of any requests is right to one micro-credit, and so is each line of an invoice. */
import { describe, expect, test } from "bun:test";
import { ceilOf, microCreditsPerToken } from "../../src/books/money";
import { openGateway } from "../gateway";
import { sums } from "./paying";

describe("charges are exact over time", () => {
  const WIRED = `space_probe: false
providers: { wire: { plugin: openai, base_url: "http://upstream/v1" } }
`;
  /** One token per word. */
  const fetch = async (_: string, init: RequestInit) => {
    const { input }: { readonly input: readonly string[] } = JSON.parse(String(init.body));
    const tokens = input.join(" ").split(" ").length;
    const data = input.map((_text, index) => ({ index, embedding: [0.6, 0.8] }));
    return Response.json({ data, usage: { prompt_tokens: tokens, total_tokens: tokens } });
  };
  const words = (count: number) => Array.from({ length: count }, () => "a").join(" ");

  test.each([
    [1, 1, 0.02],
    [0.13, 1.15, 0.02],
    [160, 1, 0.02],
    [7, 1.3, 0.0001],
    [0.333333, 1, 0.13],
  ])(
    "%p credits a USD, markup %p, %p USD: each sum so far is right to one micro-credit",
    async (rate, markup, price) => {
      const yaml = `${WIRED}money: { credits_per_usd: ${rate}, markup: ${markup} }
models: { m: { routes: [ { provider: wire } ], price: ${price}, dimensions: 2 } }
`;
      for (const credits of [null, 1_000_000_000n]) {
        await using open = await openGateway({ readsFile: true, yaml, outside: { fetch } });
        await open.gateway.workspaces.create("team", {}, credits);
        const { key } = await open.gateway.keys.create("ci", "team");
        const exact = microCreditsPerToken(price, { creditsPerUsd: rate, markup });
        let tokens = 0n;
        for (const count of [1, 1, 1, 40, 1, 3, 250, 1, 1, 7, 1, 1, 1, 1]) {
          await open.post({ model: "m", input: words(count) }, { authorization: `Bearer ${key}` });
          tokens += BigInt(count);
          expect(sums(open).taken).toBe(ceilOf(tokens, exact));
        }
        const { micro_credits } = await open.gateway.workspaces.show("team");
        expect(micro_credits).toBe(credits === null ? null : credits - ceilOf(tokens, exact));
        expect(sums(open)).toMatchObject({ held: 0n, short: 0n });
      }
    },
  );

  test("the last micro-credit pays for fifty tokens at 0.02 micro-credits, and for no more", async () => {
    const yaml = `${WIRED}models: { m: { routes: [ { provider: wire } ], price: 0.02, dimensions: 2 } }`;
    await using open = await openGateway({ readsFile: true, yaml, outside: { fetch } });
    await open.gateway.workspaces.create("team", {}, 1n);
    const { key } = await open.gateway.keys.create("ci", "team");
    const statuses: number[] = [];
    for (let i = 0; i < 51; i++)
      statuses.push((await open.post({ model: "m", input: "a" }, { authorization: `Bearer ${key}` })).status);
    expect(statuses).toEqual([...Array.from({ length: 50 }, () => 200), 402]);
    expect(sums(open)).toEqual({ taken: 1n, granted: 1n, held: 0n, short: 0n });
  });

  test("an invoice's lines have the cost of their own requests, whichever request paid the whole micro-credit", async () => {
    const yaml = `${WIRED}models:
  a: { routes: [ { provider: wire } ], price: 0.5, dimensions: 2 }
  b: { routes: [ { provider: wire } ], price: 0.5, dimensions: 2 }
`;
    await using open = await openGateway({ readsFile: true, yaml, outside: { fetch } });
    await open.gateway.workspaces.create("team", {}, null);
    const { key } = await open.gateway.keys.create("ci", "team");
    // One request pays 1, the other 0, each time.
    for (let i = 0; i < 40; i++)
      await open.post({ model: i % 2 === 0 ? "a" : "b", input: "a" }, { authorization: `Bearer ${key}` });
    const month = new Date().toISOString().slice(0, 7);
    const statements = (await open.beside()).openStatements();
    const { lines, total } = await statements.invoice("team", month, ["model"]);
    expect(lines.map(({ model, micro_credits }) => [model, micro_credits])).toEqual([
      ["a", 10n],
      ["b", 10n],
    ]);
    expect(total.micro_credits).toBe(20n);
  });
});
