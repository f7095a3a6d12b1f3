/**
 * What a faulty provider leaves in the cache: nothing of a wrong answer, and everything that was right, each under its own input.
 * A further kind of wrong answer is a row of WRONG; each is wrong for every call, even for one with a single input.
 */
import { describe, expect, test } from "bun:test";
import { fakeOutside } from "../fake-outside";
import { cacheOf, expected, openBefore, type Reply, rightly, routing, vectorsOf } from "./vendor";

const texts = ["alpha", "beta", "gamma", "delta"];

describe("an answer out of order, with correct indices", () => {
  const orders: readonly (readonly [string, (reply: Reply) => Reply])[] = [
    ["reversed", ({ data, tokens }) => ({ data: [...data].reverse(), tokens })],
    ["rotated", ({ data, tokens }) => ({ data: [...data.slice(1), ...data.slice(0, 1)], tokens })],
  ];
  test.each(orders)("%s, is put in order before it is cached", async (_, change) => {
    await using open = await openBefore();
    open.vendor.answer = (_call, right) => rightly(change(right));
    expect(vectorsOf(await open.post({ model: "m", input: texts }))).toEqual(expected(texts));
    for (const text of texts) {
      const sent = await open.post({ model: "m", input: text });
      expect([cacheOf(sent), vectorsOf(sent)]).toEqual(["hit=1, miss=0", expected([text])]);
    }
    const mixed = ["new", "gamma", "newer", "alpha"];
    expect(vectorsOf(await open.post({ model: "m", input: mixed }))).toEqual(expected(mixed));
    expect(open.vendor.calls).toHaveLength(2);
  });
});

const spoiled = (change: (item: Reply["data"][number], data: Reply["data"]) => unknown) => (reply: Reply) =>
  Response.json({ data: reply.data.map((item) => change(item, reply.data)), usage: { prompt_tokens: 1 } });

const WRONG: readonly (readonly [string, (right: Reply) => Response])[] = [
  ["indices past the end", spoiled(({ index, embedding }) => ({ index: index + 1, embedding }))],
  ["one and the same index below zero", spoiled(({ embedding }) => ({ index: -1, embedding }))],
  ["an index twice", ({ data, tokens }) => rightly({ data: [...data, ...data.slice(-1)], tokens })],
  ["a vector too few", ({ data, tokens }) => rightly({ data: data.slice(1), tokens })],
  ["no vectors", ({ tokens }) => rightly({ data: [], tokens })],
  ["another size", spoiled(({ index, embedding }) => ({ index, embedding: embedding.slice(1) }))],
  ["zeros", spoiled(({ index, embedding }) => ({ index, embedding: embedding.map(() => 0) }))],
  ["null for a number", spoiled(({ index, embedding }) => ({ index, embedding: [null, ...embedding] }))],
  [
    "base64 of NaN",
    spoiled(({ index, embedding }) => ({
      index,
      embedding: Buffer.from(new Float32Array(embedding.length).fill(Number.NaN).buffer).toString("base64"),
    })),
  ],
  [
    "another model's name",
    ({ data }) => Response.json({ data, model: "text-embedding-3-large", usage: { prompt_tokens: 1 } }),
  ],
  ["half a body", (right) => new Response(JSON.stringify(right).slice(0, 60))],
  ["an empty body", () => new Response("")],
  ["null", () => new Response("null")],
  ["a page", () => new Response("<html>hello</html>", { headers: { "content-type": "text/html" } })],
];

describe("of an answer with", () => {
  test.each(WRONG)("%s, nothing is answered and nothing is cached", async (_, wrongly) => {
    const known = "{ routes: [ { provider: a, model: text-embedding-3-small } ], dimensions: 8 }";
    await using open = await openBefore(routing({ more: `  known: ${known}` }));
    open.vendor.answer = (_call, right) => wrongly(right);
    const first = await open.post({ model: "known", input: texts });
    expect([first.status, Object(first.json).error.code]).toEqual([502, "upstream_malformed"]);
    expect(open.gateway.cache.stats().memoryEntries).toBe(0);
    open.vendor.answer = (_call, right) => rightly(right);
    const second = await open.post({ model: "known", input: texts });
    expect([second.status, cacheOf(second)]).toEqual([200, "hit=0, miss=4"]);
    expect(vectorsOf(second)).toEqual(expected(texts));
  });
});

test("a wrong answer that is requested again leaves the right one", async () => {
  const clock = fakeOutside();
  const yaml = routing().replace("retries: 0", "retries: 1");
  await using open = await openBefore(yaml, { outside: { sleep: clock.outside.sleep } });
  const { vendor } = open;
  vendor.answer = (_, right) =>
    rightly(vendor.calls.length === 1 ? { ...right, data: right.data.slice(1) } : right);
  expect((await clock.until(open.post({ model: "m", input: texts }))).status).toBe(200);
  expect(vendor.calls).toHaveLength(2);
  const again = await open.post({ model: "m", input: texts });
  expect([cacheOf(again), vectorsOf(again)]).toEqual(["hit=4, miss=0", expected(texts)]);
});

test("a batch that fails because of one input keeps the others: the next request sends only the rest", async () => {
  await using open = await openBefore(routing({ model: "max_inputs: 2", provider: "concurrency: 1" }));
  const { vendor } = open;
  vendor.answer = ({ input }, right) =>
    input.includes("poison")
      ? Response.json({ error: { message: "I cannot take that", code: null } }, { status: 400 })
      : rightly(right);
  const failed = await open.post({ model: "m", input: [...texts, "poison", "omega"] });
  expect(failed.status).toBe(400);
  vendor.calls.length = 0;
  const sent = await open.post({ model: "m", input: [...texts, "omega"] });
  expect(vectorsOf(sent)).toEqual(expected([...texts, "omega"]));
  const askedAgain = vendor.calls.flatMap(({ input }) => input);
  expect(askedAgain.filter((text) => texts.includes(String(text)))).toEqual([]);
});

test("the provider's count of calls whose batch failed is in the ledger, once", async () => {
  await using open = await openBefore(routing({ model: "max_inputs: 2", provider: "concurrency: 1" }));
  const { vendor } = open;
  let counted = 0;
  vendor.answer = ({ input }, right) => {
    if (input.includes("poison")) return new Response("no", { status: 400 });
    counted += right.tokens;
    return rightly(right);
  };
  await open.post({ model: "m", input: [...texts, "poison"] });
  await open.post({ model: "m", input: texts });
  const [all] = await open.gateway.ledger.usage(0, "model");
  expect([counted, all?.tokens_upstream, all?.tokens_billed]).toEqual([4, 4n, 0n]);
});
