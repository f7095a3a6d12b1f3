/**
 * Gemini's models for a caller of the gateway: dimensions, tasks and tokens as in the catalogue, over the fake of Google's API.
 * gemini.test.ts has what concerns the API alone.
 */
import { describe, expect, test } from "bun:test";
import { cosine, openThrough, vectorsOf } from "./conformance/gateway";
import { GEMINI_KEY, geminiVendor } from "./vendors/gemini";

const YAML = `
space_probe: false
providers:
  google: { plugin: gemini, api_key: ${GEMINI_KEY} }
models:
  google/text-embedding-004: { routes: [ { provider: google } ], price: 0.025 }
  gemini-embedding-001: { routes: [ { provider: google } ] }
  gemini-embedding-2: { routes: [ { provider: google } ] }
  "google/*": { routes: [ { provider: google } ] }
`;

const openGoogle = (model: string) => openThrough(geminiVendor(model), YAML);

const lengthOf = (vector: readonly number[]) => Math.hypot(...vector);

describe("through the gateway", () => {
  test.each([[1], [2], [96], [97], [100], [101], [2048]])(
    "of %d texts each has its own vector, at most 100 a call",
    async (count) => {
      await using open = await openGoogle("gemini-embedding-001");
      const input = Array.from({ length: count }, (_, place) => `text ${place}`);
      const sent = await open.gateway.post({ model: "gemini-embedding-001", input, dimensions: 128 });
      expect(sent.status).toBe(200);
      const vectors = vectorsOf(sent);
      expect(vectors).toHaveLength(count);
      for (const [place, text] of input.entries())
        expect(cosine(vectors[place] ?? [], text)).toBeGreaterThan(0.9999);
      // Except for the gateway's own probes.
      const calls = open.network.requests.filter(({ body }) => body.includes('"text ')).map(({ url }) => url);
      expect(calls).toHaveLength(Math.ceil(count / 100));
      expect(calls.filter((url) => url.endsWith(":embedContent"))).toHaveLength(count % 100 === 1 ? 1 : 0);
    },
  );

  test("pain 19: a shortened vector of gemini-embedding-001 is normalised here; its successor's already is", async () => {
    await using open = await openGoogle("gemini-embedding-001");
    for (const model of ["gemini-embedding-001", "gemini-embedding-2"]) {
      const [vector = []] = vectorsOf(await open.gateway.post({ model, input: "a text", dimensions: 768 }));
      expect(vector).toHaveLength(768);
      expect(lengthOf(vector)).toBeCloseTo(1, 5);
    }
  });

  test("T1, T2, T4: google/text-embedding-004 has its dimensions, its tasks and the routing file's price", async () => {
    await using open = await openGoogle("text-embedding-004");
    const model = "google/text-embedding-004";
    const sent = await open.gateway.post({ model, input: ["one", "two"], task_type: "RETRIEVAL_QUERY" });
    expect(sent.json).toMatchObject({ model, data: [{ index: 0 }, { index: 1 }] });
    expect(sent.headers.get("x-embedding-space")).toBe("text-embedding-004@768");
    const { requests } = JSON.parse(open.network.requests[0]?.body ?? "");
    expect(requests).toMatchObject([{ taskType: "RETRIEVAL_QUERY" }, { taskType: "RETRIEVAL_QUERY" }]);
    const list = await open.gateway.send("/v1/models");
    expect(list.json).toMatchObject({
      data: expect.arrayContaining([
        expect.objectContaining({ id: model, dimensions: 768, price_usd_per_million_tokens: 0.025 }),
      ]),
    });
  });

  test("tokens are Google's own count if there is one, otherwise marked as estimated", async () => {
    await using open = await openGoogle("gemini-embedding-001");
    const counted = await open.gateway.post({ model: "gemini-embedding-2", input: ["one", "two words"] });
    expect(counted.json).toMatchObject({ usage: { prompt_tokens: 3 } });
    expect(counted.headers.get("x-embedgate-usage")).toBeNull();
    const estimated = await open.gateway.post({ model: "gemini-embedding-001", input: "sixteen letters!" });
    expect(estimated.json).toMatchObject({ usage: { prompt_tokens: 4 } });
    expect(estimated.headers.get("x-embedgate-usage")).toBe("estimated");
  });

  test("dimensions that Google does not support are refused before anything is sent", async () => {
    await using open = await openGoogle("gemini-embedding-001");
    for (const dimensions of [127, 3073]) {
      const sent = await open.gateway.post({ model: "gemini-embedding-001", input: "a", dimensions });
      expect(sent.json).toMatchObject({ error: { param: "dimensions", code: "unsupported_dimensions" } });
    }
    expect(open.network.requests).toEqual([]);
  });

  test("a model that no longer exists, and a title without its task, are the caller's errors", async () => {
    await using open = await openGoogle("gemini-embedding-001");
    const gone = await open.gateway.post({ model: "google/text-embedding-004", input: "a" });
    expect([gone.status, Object(gone.json).error.code]).toEqual([404, "model_not_found"]);
    const unknown = await open.gateway.post({
      model: "google/gemini-embedding-9",
      input: new Array(150).fill("a b").map((text, i) => text + i),
    });
    expect(unknown.status).toBe(404);
    expect(JSON.parse(open.network.requests.at(-1)?.body ?? "").requests.length).toBeLessThanOrEqual(100);
    const title = await open.gateway.post({ model: "gemini-embedding-001", input: "a", title: "T" });
    expect([title.status, Object(title.json).error.param]).toEqual([400, "title"]);
  });

  test("token ids are decoded to their texts", async () => {
    await using open = await openGoogle("gemini-embedding-001");
    const sent = await open.gateway.post({ model: "gemini-embedding-001", input: [15339, 1917] });
    expect(sent.headers.get("x-embedgate-decoded")).toBe("cl100k_base");
    expect(JSON.parse(open.network.requests[0]?.body ?? "").content).toEqual({
      parts: [{ text: "hello world" }],
    });
  });

  test.each(["content", "contents", "requests", "model", "input", "api_key", "base_url", "texts"])(
    "extra_body cannot set %s",
    async (name) => {
      await using open = await openGoogle("gemini-embedding-001");
      const sent = await open.gateway.post({
        model: "gemini-embedding-001",
        input: "a",
        extra_body: { [name]: "b" },
      });
      expect(sent.json).toMatchObject({ error: { param: `extra_body.${name}` } });
      expect(open.network.requests).toEqual([]);
    },
  );
});
