/**
 * What has gone wrong with embeddings behind other gateways, tried on this one through OpenAI's API: it works, or gives a clear error.
 * The numbers are those of test/pains.test.ts, which knows where every other one is tested; a pain that is tested here has its number.
 */
import { describe, expect, test } from "bun:test";
import { fakeOutside } from "../fake-outside";
import { openGateway } from "../gateway";
import {
  expected,
  openBefore,
  type Reply,
  rightly,
  routing,
  rowsOf,
  SIZE,
  vectorFor,
  vectorsOf,
} from "./vendor";

const texts = (count: number) => Array.from({ length: count }, (_, i) => `text ${i}`);
const base64Of = (numbers: readonly number[]) =>
  Buffer.from(Float32Array.from(numbers).buffer).toString("base64");
const errorOf = ({ json }: { readonly json: unknown }) => Object(json).error;

describe("encoding", () => {
  test("pain 1: a provider that ignores the requested encoding does not decide the caller's", async () => {
    for (const wire of ["float", "base64"]) {
      await using open = await openBefore(routing({ model: `wire_encoding: ${wire}` }));
      const right = base64Of([...vectorFor("a", [undefined, undefined])]);
      for (const answered of ["float", "base64"]) {
        open.vendor.answer = (_, { data, tokens }) =>
          Response.json({
            data: data.map(({ index, embedding }) => ({
              index,
              embedding: answered === "float" ? embedding : base64Of(embedding),
            })),
            usage: { prompt_tokens: tokens },
          });
        const fresh = { "cache-control": "no-store" };
        const base64 = await open.post({ model: "m", input: "a", encoding_format: "base64" }, fresh);
        const float = await open.post({ model: "m", input: "a" }, fresh);
        expect(Object(base64.json).data[0].embedding).toBe(right);
        expect(vectorsOf(float)).toEqual(expected(["a"]));
      }
      expect(new Set(open.vendor.calls.map(({ body }) => body.encoding_format))).toEqual(new Set([wire]));
    }
  });

  test("pain 2: base64 is a way to write numbers, never another kind of number: the provider's request is the same", async () => {
    await using open = await openBefore();
    for (const encoding_format of ["float", "base64"]) {
      await open.post({ model: "m", input: "a", encoding_format }, { "cache-control": "no-store" });
    }
    const [first, second] = open.vendor.calls;
    expect(second?.body).toEqual(first?.body ?? {});
    expect(Object.values(first?.body ?? {})).not.toContain("binary");
  });
});

describe("N inputs are N vectors", () => {
  const one = (reply: Reply) => rightly({ ...reply, data: reply.data.slice(0, 1) });

  test("pain 4, 5, 6: one vector for several inputs, fused or the others dropped, is never an answer", async () => {
    await using open = await openBefore();
    open.vendor.answer = (_, right) => one(right);
    const sent = await open.post({ model: "m", input: ["a", "b", "c"] });
    expect([sent.status, errorOf(sent).code]).toEqual([502, "upstream_malformed"]);
    expect(errorOf(sent).message).toContain("1 vectors came back for 3 inputs");
  });

  test("pain 4, 6: a provider that takes one input per call is called once per input", async () => {
    await using open = await openBefore(routing({ model: "max_inputs: 1" }));
    open.vendor.answer = (_, right) => one(right);
    const sent = await open.post({ model: "m", input: texts(20) });
    expect(vectorsOf(sent)).toEqual(expected(texts(20)));
    expect(open.vendor.calls).toHaveLength(20);
  });

  test.each([1, 10, 32, 64, 96, 100])(
    "pain 8, 10, 11, 12: 2048 inputs through a provider that takes %d a call come back right",
    async (most) => {
      await using open = await openBefore(routing({ model: `max_inputs: ${most}` }));
      open.vendor.answer = ({ input }, right) =>
        input.length > most ? new Response("too many", { status: 400 }) : rightly(right);
      const sent = await open.post({ model: "m", input: texts(2048) });
      expect(sent.status).toBe(200);
      expect(vectorsOf(sent)).toEqual(expected(texts(2048)));
      expect(open.vendor.calls).toHaveLength(Math.ceil(2048 / most));
    },
  );

  test("pain 9: a call is limited in tokens and in bytes too", async () => {
    const model = "max_call_tokens: 40\n    max_call_bytes: 30";
    await using open = await openBefore(routing({ model }));
    const sent = await open.post({ model: "m", input: texts(50) });
    expect(vectorsOf(sent)).toEqual(expected(texts(50)));
    for (const { input } of open.vendor.calls) {
      expect(Buffer.byteLength(input.join(""))).toBeLessThanOrEqual(30);
    }
  });

  test("pain 14: 200 with no data is the provider's failure", async () => {
    await using open = await openBefore();
    open.vendor.answer = () => Response.json({ object: "list", data: [], model: "m" });
    expect((await open.post({ model: "m", input: "a", encoding_format: "base64" })).status).toBe(502);
  });
});

describe("counts", () => {
  // None of these is a valid count, so there is an estimate.
  test.each([
    [{ prompt_tokens: -1, total_tokens: -1 }, [200, 3, "estimated"]],
    [{ prompt_tokens: 0.5 }, [200, 3, "estimated"]],
    [{}, [200, 3, "estimated"]],
    [undefined, [200, 3, "estimated"]],
  ])("pain 5, 25: a usage of %j is never what is shown and billed", async (usage, told) => {
    await using open = await openBefore();
    open.vendor.answer = (_, { data }) => Response.json({ data, usage });
    const { status, json, headers } = await open.post({ model: "m", input: "twelve bytes" });
    const shown = Object(json).usage?.prompt_tokens;
    expect([status, shown, headers.get("x-embedgate-usage")]).toEqual(told);
    expect(rowsOf(open)).toMatchObject([{ tokens_billed: status === 200 ? 3 : 0 }]);
  });

  test("pain 25: a token count is never the number of vector elements", async () => {
    await using open = await openBefore(routing({ model: "dimensions: 1024" }));
    open.vendor.answer = ({ input }) =>
      Response.json({
        data: input.map((text, index) => ({
          index,
          embedding: [...vectorFor(text, [undefined, undefined], 1024)],
        })),
      });
    expect(Object((await open.post({ model: "m", input: "hi" })).json).usage.prompt_tokens).toBe(1);
  });
});

describe("what a model accepts", () => {
  test("pain 7: a web page instead of JSON is a clean 502 that quotes the page's start", async () => {
    await using open = await openBefore();
    open.vendor.answer = () => new Response("<html><h1>Precondition check failed</h1></html>");
    const sent = await open.post({ model: "m", input: "a" });
    expect([sent.status, errorOf(sent).code]).toEqual([502, "upstream_malformed"]);
    expect(errorOf(sent).message).toContain("Precondition check failed");
  });

  test("pain 13: token arrays go as ids to the model that owns them, and as text to others, with a header", async () => {
    const more = `  words: { routes: [ { provider: a } ], dimensions: ${SIZE} }`;
    await using open = await openBefore(routing({ more }));
    const input = [[9906, 1917], [9906]];
    const native = await open.post({ model: "m", input });
    const words = await open.post({ model: "words", input });
    expect(open.vendor.calls.map((call) => call.input)).toEqual([input, ["Hello world", "Hello"]]);
    expect(vectorsOf(native)).toEqual(expected(input));
    expect(vectorsOf(words)).toEqual(expected(["Hello world", "Hello"]));
    expect(words.headers.get("x-embedgate-decoded")).toBe("cl100k_base");
  });

  test("pain 17: unsupported dimensions are refused with the supported ones, and never sent", async () => {
    await using open = await openBefore();
    const sent = await open.post({ model: "m", input: "a", dimensions: 4 });
    expect([sent.status, errorOf(sent).code, errorOf(sent).param]).toEqual([
      400,
      "unsupported_dimensions",
      "dimensions",
    ]);
    expect(errorOf(sent).message).toContain(String(SIZE));
    expect(open.vendor.calls).toEqual([]);
  });

  test("pain 18: a list where the routing file wants a word is refused at load, with its line", async () => {
    const yaml = routing({ model: "wire_encoding: [ float ]" });
    const line = yaml.split("\n").findIndex((text) => text.includes("wire_encoding")) + 1;
    await expect(openGateway({ yaml })).rejects.toThrow(new RegExp(`gateway\\.yaml:${line}:.*wire_encoding`));
  });

  test("pain 19: vectors that a provider does not normalise get unit length", async () => {
    await using open = await openBefore(routing({ model: "normalized: true" }));
    open.vendor.answer = (_, { data, tokens }) =>
      rightly({
        data: data.map(({ index, embedding }) => ({
          index,
          embedding: embedding.map((number) => 17 * number),
        })),
        tokens,
      });
    const [vector = []] = vectorsOf(await open.post({ model: "m", input: "a" }));
    expect(Math.hypot(...vector)).toBeCloseTo(1, 6);
    for (const [i, number] of vectorFor("a", [undefined, undefined]).entries())
      expect(vector[i]).toBeCloseTo(number, 6);
    await open.post({ model: "m", input: "b" });
    expect(open.logs.filter(({ message }) => message.includes("not of unit length"))).toHaveLength(1);
  });

  test("vectors whose length has a meaning keep it, alone and in the mean of a text's pieces", async () => {
    const model = "normalized: false, long_input: average, max_input_tokens: 4".split(", ").join("\n    ");
    await using open = await openBefore(routing({ model }));
    open.vendor.answer = ({ input }, { tokens }) =>
      rightly({ data: input.map((_, index) => ({ index, embedding: [6, 0, 0, 0, 0, 0, 0, 0] })), tokens });
    const sent = await open.post({ model: "m", input: ["a", "a text in several pieces"] });
    expect(vectorsOf(sent)).toEqual([0, 1].map(() => [6, 0, 0, 0, 0, 0, 0, 0]));
    expect(sent.headers.get("x-embedgate-averaged")).toBe("1");
  });

  test("pain 23: a text that is too long is named before anything is sent", async () => {
    await using open = await openBefore(routing({ model: "max_input_tokens: 4" }));
    const input = ["a", "b", "many more bytes than four tokens have"];
    const sent = await open.post({ model: "m", input });
    expect([sent.status, errorOf(sent).code, errorOf(sent).param]).toEqual([
      400,
      "context_length_exceeded",
      "input[2]",
    ]);
    expect(open.vendor.calls).toEqual([]);
  });

  test("pain 29: a task that the provider has no word for is reported, not dropped silently", async () => {
    await using open = await openBefore();
    const sent = await open.post({ model: "m", input: "a", input_type: "query" });
    expect([sent.status, sent.headers.get("x-embedgate-ignored")]).toEqual([200, "input_type"]);
    expect(open.vendor.calls).toHaveLength(1);
  });
});

describe("a provider in trouble", () => {
  test("pain 22: a text with an invalid vector is named, and nothing of it is cached", async () => {
    await using open = await openBefore();
    open.vendor.answer = ({ input }, { data, tokens }) =>
      rightly({
        data: data.map(({ index, embedding }) => ({
          index,
          embedding: input[index] === "poison" ? embedding.map(() => 0) : embedding,
        })),
        tokens,
      });
    const sent = await open.post({ model: "m", input: ["a", "poison", "b"] });
    expect([sent.status, errorOf(sent).param]).toEqual([400, "input[1]"]);
    expect(vectorsOf(await open.post({ model: "m", input: ["a", "b"] }))).toEqual(expected(["a", "b"]));
    expect(open.gateway.cache.stats().memoryEntries).toBe(2);
  });

  test("pain 26: a provider that never answers is abandoned at the deadline, and is only called for embeddings", async () => {
    const clock = fakeOutside();
    const more = "server: { deadline_ms: 5000 }";
    const { sleep, alarm, now, monotonic, random } = clock.outside;
    await using open = await openBefore(
      routing({ more, provider: "timeout_ms: 2000" }).replace("retries: 0", "retries: 9"),
      {
        outside: { sleep, alarm, now, monotonic, random },
      },
    );
    open.vendor.answer = () => new Promise(() => undefined);
    const sent = await clock.until(open.post({ model: "m", input: "a" }));
    expect([sent.status, errorOf(sent).code]).toEqual([504, "upstream_timeout"]);
    expect(monotonic()).toBeLessThanOrEqual(5_000);
    expect(new Set(open.vendor.calls.map(({ url }) => url))).toEqual(new Set(["http://a/v1/embeddings"]));
  });

  test("seen: an answer that trickles in is abandoned at the attempt's timeout", async () => {
    const clock = fakeOutside();
    const { sleep, alarm, now, monotonic } = clock.outside;
    await using open = await openBefore(routing({ provider: "timeout_ms: 3000" }), {
      outside: { sleep, alarm, now, monotonic },
    });
    // The first answer may take longer (cold.test.ts), so it is requested before.
    expect((await clock.until(open.post({ model: "m", input: "first" }))).status).toBe(200);
    open.vendor.answer = () =>
      new Response(
        new ReadableStream({
          async pull(controller) {
            await sleep(1_000);
            controller.enqueue(new TextEncoder().encode(" "));
          },
        }),
      );
    const sent = await clock.until(open.post({ model: "m", input: "a" }));
    expect([sent.status, errorOf(sent).code]).toEqual([504, "upstream_timeout"]);
    expect(monotonic()).toBeLessThanOrEqual(4_000);
  });

  test("seen: one failing request makes at most max_attempts calls, whatever retries says", async () => {
    const clock = fakeOutside();
    await using open = await openBefore(
      routing({ more: "server: { max_attempts: 4 }" }).replace("retries: 0", "retries: 10"),
      { outside: { sleep: clock.outside.sleep } },
    );
    open.vendor.answer = () => new Response("down", { status: 503 });
    expect((await clock.until(open.post({ model: "m", input: texts(3) }))).status).toBe(503);
    expect(open.vendor.calls).toHaveLength(4);
  });

  test("seen: the gateway's own key, repeated by a provider, reaches nobody", async () => {
    await using open = await openBefore(routing({ provider: 'api_key: "sk-very-secret-0123456789"' }));
    for (const status of [200, 400, 401, 429, 500]) {
      open.vendor.answer = () =>
        new Response('{"error":{"message":"sk-very-secret-0123456789 is wrong"}}', { status });
      const sent = await open.post({ model: "m", input: "a" });
      expect(sent.status).toBeGreaterThanOrEqual(400);
      expect(sent.text).not.toContain("very-secret");
    }
    expect(JSON.stringify(open.logs)).not.toContain("very-secret");
  });

  test("runner-up: an answer without data gets a clear message", async () => {
    await using open = await openBefore();
    for (const body of [{ data: null }, { error: { message: "no" } }, { data: [null] }, [], "no"]) {
      open.vendor.answer = () => Response.json(body);
      const sent = await open.post({ model: "m", input: "a" });
      expect([sent.status, errorOf(sent).code]).toEqual([502, "upstream_malformed"]);
      expect(errorOf(sent).message).not.toMatch(/undefined|TypeError|is not (a function|iterable|an object)/);
    }
  });

  test("runner-up: a health check calls no provider", async () => {
    await using open = await openBefore();
    open.vendor.answer = () => new Response("down", { status: 503 });
    for (const path of ["/healthz", "/readyz"]) expect((await open.send(path)).status).toBe(200);
    expect(open.vendor.calls).toEqual([]);
  });

  test("runner-up: a model with other dimensions than stated is not served", async () => {
    await using open = await openBefore(routing({ model: "dimensions: 16" }));
    const sent = await open.post({ model: "m", input: "a" });
    expect([sent.status, errorOf(sent).message]).toEqual([
      502,
      expect.stringContaining("8 dimensions, not 16"),
    ]);
  });
});
