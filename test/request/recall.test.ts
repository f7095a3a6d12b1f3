/**
 * The cache as callers see it: what is sent to the provider, what comes back, and what the answer's headers say.
 * recall-under-way.test.ts has simultaneous requests, recall-faults.test.ts wrong answers, recall-billing.test.ts money.
 */
import { describe, expect, test } from "bun:test";
import { FAKE_YAML, openGateway } from "../gateway";
import { onSqliteAlone } from "../stores/on-postgres";
import { cacheOf, expected, openBefore, routing, SIZE, vectorsOf } from "./vendor";

const texts = (count: number, from = 0) => Array.from({ length: count }, (_, i) => `text number ${from + i}`);

describe("an input that was embedded before", () => {
  test("is not sent again: the header counts it, and its vector is the same", async () => {
    await using open = await openBefore();
    const first = await open.post({ model: "m", input: texts(32) });
    expect([first.status, cacheOf(first)]).toEqual([200, "hit=0, miss=32"]);
    const second = await open.post({ model: "m", input: [...texts(31), "something new"] });
    expect(cacheOf(second)).toBe("hit=31, miss=1");
    expect(open.vendor.calls.map(({ input }) => input)).toEqual([texts(32), ["something new"]]);
    expect(vectorsOf(second)).toEqual(expected([...texts(31), "something new"]));
    const third = await open.post({ model: "m", input: "something new" });
    expect([cacheOf(third), open.vendor.calls.length]).toEqual(["hit=1, miss=0", 2]);
    expect(vectorsOf(third)).toEqual(expected(["something new"]));
  });

  test("may be anywhere: only the rest is sent, and each vector is in its own place", async () => {
    await using open = await openBefore(routing({ model: "max_inputs: 3" }));
    await open.post({ model: "m", input: texts(20).filter((_, i) => i % 3 === 1) });
    open.vendor.calls.length = 0;
    const sent = await open.post({ model: "m", input: texts(20).reverse() });
    expect(vectorsOf(sent)).toEqual(expected(texts(20).reverse()));
    expect(cacheOf(sent)).toBe("hit=7, miss=13");
    const asked = open.vendor.calls.flatMap(({ input }) => input);
    expect(asked).toHaveLength(13);
    expect(asked).not.toContain("text number 1");
  });

  test("has the same bits as float and as base64, hit or miss", async () => {
    await using open = await openBefore();
    const as = async (encoding_format: string) => {
      const { json } = await open.post({ model: "m", input: "some bits", encoding_format });
      const { embedding } = Object(json).data[0];
      return typeof embedding === "string"
        ? embedding
        : Buffer.from(Float32Array.from(embedding).buffer).toString("base64");
    };
    const miss = await as("base64");
    expect([await as("float"), await as("base64")]).toEqual([miss, miss]);
    expect(open.vendor.calls).toHaveLength(1);
    expect(open.vendor.calls[0]?.body.encoding_format).toBe("float");
  });

  test("is reported as before: truncated, averaged or decoded", async () => {
    const limits = "max_input_tokens: 4";
    const more = `
  cut: { routes: [ { provider: a } ], dimensions: ${SIZE}, ${limits}, long_input: truncate }
  mean: { routes: [ { provider: a } ], dimensions: ${SIZE}, ${limits}, long_input: average }
  words: { routes: [ { provider: a } ], dimensions: ${SIZE} }`;
    await using open = await openBefore(routing({ more }));
    const told = async (model: string, input: unknown) => {
      const { headers } = await open.post({ model, input });
      return ["truncated", "averaged", "decoded"].map((word) => headers.get(`x-embedgate-${word}`));
    };
    const long = "much more than eight bytes";
    for (const _ of ["miss", "hit"]) {
      expect(await told("cut", ["short", long])).toEqual(["1", null, null]);
      expect(await told("mean", [long, "short", long])).toEqual([null, "0,2", null]);
      expect(await told("words", [[9906], [1917]])).toEqual([null, null, "cl100k_base"]);
    }
    // One call each, and as many pieces of the averaged one as needed.
    expect(open.vendor.calls).toHaveLength(3);
  });

  test.skipIf(onSqliteAlone("reads the cache's file, which is beside SQLite's"))(
    "is found again after a restart, where the cache is on disk",
    async () => {
      await using folder = await openBefore();
      const yaml = routing({
        cache: "{ memory_mb: 1, disk_mb: 8 }",
        more: folder.lasting().yaml,
      });
      const bits = [];
      const headers = [];
      let calls = 0;
      for (const _ of ["first life", "second life"]) {
        await using open = await openBefore(yaml);
        const sent = await open.post({ model: "m", input: ["one", "two"], encoding_format: "base64" });
        bits.push(Object(sent.json).data);
        headers.push(cacheOf(sent));
        calls += open.vendor.calls.length;
      }
      expect([headers, calls]).toEqual([["hit=0, miss=2", "hit=2, miss=0"], 1]);
      expect(bits[1]).toEqual(bits[0]);
    },
  );
});

describe("an input that occurs in a request twice", () => {
  test.each(["{ memory_mb: 8 }", "false"])("is sent once, with cache: %s", async (cache) => {
    await using open = await openBefore(routing({ cache }));
    const input = ["b", "a", "b", "c", "a", "b"];
    const sent = await open.post({ model: "m", input });
    expect(open.vendor.calls.map((call) => call.input)).toEqual([["b", "a", "c"]]);
    expect(vectorsOf(sent)).toEqual(expected(input));
    expect(Object(sent.json).data.map(({ index }: { index: number }) => index)).toEqual([0, 1, 2, 3, 4, 5]);
    expect(cacheOf(sent)).toBe(cache === "false" ? null : "hit=3, miss=3");
  });

  test("without a cache is sent again by the next request", async () => {
    await using open = await openBefore(routing({ cache: "false" }));
    await open.post({ model: "m", input: "a" });
    await open.post({ model: "m", input: "a" });
    expect(open.vendor.calls).toHaveLength(2);
  });
});

describe("Cache-Control", () => {
  test("no-store neither finds nor leaves anything", async () => {
    await using open = await openBefore();
    const noStore = { "cache-control": "max-age=0, No-Store" };
    const first = await open.post({ model: "m", input: "a" }, noStore);
    expect([first.status, cacheOf(first)]).toEqual([200, "bypass"]);
    expect(cacheOf(await open.post({ model: "m", input: "a" }))).toBe("hit=0, miss=1");
    expect(cacheOf(await open.post({ model: "m", input: "a" }, noStore))).toBe("bypass");
    expect(open.vendor.calls).toHaveLength(3);
    expect(open.gateway.cache.stats().memoryEntries).toBe(1);
  });

  test("no-cache fetches again, and stores the result", async () => {
    await using open = await openBefore();
    const noCache = { "cache-control": "no-cache" };
    for (let i = 0; i < 2; i++) {
      expect(cacheOf(await open.post({ model: "m", input: "a" }, noCache))).toBe("bypass");
    }
    expect(open.vendor.calls).toHaveLength(2);
    expect(cacheOf(await open.post({ model: "m", input: "a" }))).toBe("hit=1, miss=0");
  });

  test("with other directives changes nothing", async () => {
    await using open = await openBefore();
    await open.post({ model: "m", input: "a" });
    const sent = await open.post({ model: "m", input: "a" }, { "cache-control": "max-age=0, no-transform" });
    expect(cacheOf(sent)).toBe("hit=1, miss=0");
  });
});

describe("a different vector is never found", () => {
  const base = { model: "m", input: "a" };
  test.each([
    ["the text of a token array", { ...base, input: [[2790, 66]] }, { ...base, input: "[2790, 66]" }],
    ["the text of a flat token array", { ...base, input: [2790, 66] }, { ...base, input: "2790,66" }],
    ["other ids", { ...base, input: [2790, 66] }, { ...base, input: [66, 2790] }],
    ["ids cut elsewhere", { ...base, input: [[1, 2], [3]] }, { ...base, input: [[1], [2, 3]] }],
    ["another case", base, { ...base, input: "A" }],
    ["white space", base, { ...base, input: "a " }],
    ["another normal form", { ...base, input: "\u00e9" }, { ...base, input: "e\u0301" }],
    ["other dimensions", base, { ...base, dimensions: 4 }],
    ["another model of one provider", base, { ...base, model: "other" }],
    ["an extra_body", base, { ...base, extra_body: { extra: 1 } }],
    ["another extra_body", { ...base, extra_body: { extra: 1 } }, { ...base, extra_body: { extra: "1" } }],
  ])("for %s", async (_, first, second) => {
    const more = `  other: { routes: [ { provider: a } ], dimensions: ${SIZE} }`;
    await using open = await openBefore(routing({ model: "dimensions_policy: truncate", more }));
    for (const body of [first, second]) {
      const sent = await open.post(body);
      expect([sent.status, cacheOf(sent)?.startsWith("hit=0,")]).toEqual([200, true]);
    }
    expect(open.vendor.calls).toHaveLength(2);
    const again = await open.post(second);
    expect(cacheOf(again)?.endsWith(", miss=0")).toBe(true);
  });

  test("for another input_type, or none", async () => {
    await using open = await openGateway({ yaml: `${FAKE_YAML}\ncache: { memory_mb: 8 }\n` });
    const bodies = [{}, { input_type: "query" }, { input_type: "document" }];
    for (const about of bodies) {
      expect(cacheOf(await open.post({ model: "fake", input: "a", ...about }))).toBe("hit=0, miss=1");
    }
    for (const about of bodies) {
      expect(cacheOf(await open.post({ model: "fake", input: "a", ...about }))).toBe("hit=1, miss=0");
    }
  });

  test("but settings that do not affect vectors do not matter: alias, user, metadata, encoding, its native dimensions", async () => {
    await using open = await openBefore(routing({ more: "  docs: { alias_of: m }" }));
    await open.post(base);
    for (const about of [
      { model: "docs" },
      { user: "u" },
      { metadata: { run: 1 } },
      { encoding_format: "base64" },
      { dimensions: SIZE },
      { input: ["a"] },
    ]) {
      expect([about, cacheOf(await open.post({ ...base, ...about }))]).toEqual([about, "hit=1, miss=0"]);
    }
  });

  test.each([
    ["of another workspace", "{ memory_mb: 8 }", "hit=0, miss=1", 2],
    ["unless all share", "{ memory_mb: 8, shared: true }", "hit=1, miss=0", 1],
  ])("%s", async (_, cache, second, calls) => {
    await using open = await openBefore(routing({ cache }));
    const headers = [];
    for (const workspace of ["red", "blue", "red"]) {
      const { key } = await open.gateway.keys.create("ci", workspace);
      headers.push(cacheOf(await open.post(base, { authorization: `Bearer ${key}` })));
    }
    expect([headers, open.vendor.calls.length]).toEqual([["hit=0, miss=1", second, "hit=1, miss=0"], calls]);
  });
});
