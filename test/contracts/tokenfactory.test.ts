/**
 * The `tokenfactory` dialect, line by line: each test is named after its number in the contract.
 * A line without a test here is not guaranteed.
 */
import { afterAll, beforeAll, describe, expect, test } from "bun:test";
import { exactVector } from "../../plugins/fake";
import { realOutside } from "../../src/network/real-outside";
import { answerOf, openSpeaking, refusalOf, type Speaking, sizesOf } from "./speaking";

const MODEL = "BAAI/bge-large-en-v1.5";

let open: Speaking;
beforeAll(async () => {
  open = await openSpeaking({ server: "dialect: tokenfactory" });
});
afterAll(() => open[Symbol.asyncDispose]());

describe("F1 keys and inputs", () => {
  test("a rotated key serves its workspace, like the old one", async () => {
    const { id, key } = await open.gateway.keys.create("app", "shop");
    await open.gateway.workspaces.ensure("shop");
    const { key: next } = await open.gateway.keys.rotate(id, 0);
    const ask = (secret: string) =>
      open.post({ model: MODEL, input: "a" }, { authorization: `Bearer ${secret}` });
    expect((await ask(next)).status).toBe(200);
    expect(refusalOf(await ask(key))).toMatchObject({ status: 401, code: "invalid_api_key" });
    expect((await open.gateway.ledger.usage(0, "workspace")).map(({ group }) => group)).toContain("shop");
  });
  test("a string and an array of strings are accepted, token ids are not", async () => {
    expect(sizesOf(await open.ask({ model: MODEL, input: "one" }))).toHaveLength(1);
    expect(sizesOf(await open.ask({ model: MODEL, input: ["one", "two"] }))).toHaveLength(2);
    for (const input of [[1, 2], [[1]]])
      expect(refusalOf(await open.ask({ model: MODEL, input }))).toMatchObject({
        status: 400,
        code: "invalid_payload",
      });
  });
});

describe("F2 the model", () => {
  test.each([
    [MODEL, 1024],
    ["alias", 16],
  ])("%s is echoed as it was asked for, in %i dimensions", async (model, size) => {
    const sent = await open.ask({ model, input: "a" });
    expect(answerOf(sent).model).toBe(model);
    expect(sizesOf(sent)).toEqual([size]);
  });
});

describe("F3 unknown fields", () => {
  test("are ignored, and named in a header", async () => {
    open.calls.length = 0;
    const sent = await open.ask({
      model: MODEL,
      input: "a",
      dimensions: 7,
      user: "u-1",
      metadata: { team: "x" },
      extra_body: { truncate: true },
      input_type: "query",
      stream: true,
      "what, ever\n": 1,
      nothing: null,
    });
    expect(sizesOf(sent)).toEqual([1024]);
    expect(sent.headers.get("x-embedgate-ignored")).toBe(
      "dimensions, user, metadata, extra_body, input_type, stream, what%2C%20ever%0A",
    );
    expect(Object.keys(open.calls[0]?.body ?? {}).sort()).toEqual(["encoding_format", "input", "model"]);
    expect(open.rows().at(-1)).toMatchObject({ status: 200, user: null, metadata: null });
  });
  test("are not validated", async () => {
    const sent = await open.ask({ model: MODEL, input: "a", dimensions: "many", user: 17, metadata: [] });
    expect(sizesOf(sent)).toEqual([1024]);
  });
  test("but encoding_format works, so that nobody misreads floats", async () => {
    const { data } = answerOf(await open.ask({ model: "fake", input: "a", encoding_format: "base64" }));
    const bytes = Uint8Array.fromBase64(String(data[0]?.embedding));
    expect([...new Float32Array(bytes.buffer)]).toEqual([...exactVector("a", 16)]);
    expect((await open.ask({ model: "fake", input: "a", encoding_format: "hex" })).status).toBe(400);
  });
});

describe("F4 errors", () => {
  test.each([
    ["no model", { input: "a" }],
    ["no input", { model: MODEL }],
    ["an empty input", { model: MODEL, input: "" }],
    ["no object", [1]],
    ["no JSON", "{"],
  ])("%s is an invalid payload", async (_, body) => {
    expect(refusalOf(await open.ask(body))).toMatchObject({ status: 400, code: "invalid_payload" });
    expect(open.rows().at(-1)).toMatchObject({ status: 400, error: "invalid_payload" });
  });
  test.each([
    ["no Authorization header", {}, "unauthorized"],
    ["another scheme than Bearer", { authorization: "Basic abc" }, "unauthorized"],
    ["a token that is no live key", { authorization: "Bearer nothing" }, "invalid_api_key"],
  ])("%s is 401", async (_, headers, code) => {
    const sent = await open.post({ model: MODEL, input: "a" }, headers);
    expect(refusalOf(sent)).toMatchObject({ status: 401, code });
  });
  test("a model that is unknown, or not enabled for the workspace, is 404", async () => {
    expect(refusalOf(await open.ask({ model: "nope", input: "a" }))).toMatchObject({
      status: 404,
      code: "model_not_found",
    });
    await using limited = await openSpeaking({
      server: "dialect: tokenfactory",
      workspace: { models: ["fake"] },
    });
    expect((await limited.ask({ model: "fake", input: "a" })).status).toBe(200);
    expect(refusalOf(await limited.ask({ model: MODEL, input: "a" }))).toMatchObject({
      status: 404,
      code: "model_not_found",
    });
  });
  test("the workspace's rate limit is 429, and says when to come back", async () => {
    await using limited = await openSpeaking({
      server: "dialect: tokenfactory",
      workspace: { requests_per_minute: 1 },
    });
    expect((await limited.ask({ model: "fake", input: "a" })).status).toBe(200);
    const sent = await limited.ask({ model: "fake", input: "a" });
    expect(refusalOf(sent)).toMatchObject({ status: 429, code: "rate_limited" });
    expect(Number(sent.headers.get("retry-after"))).toBeGreaterThan(0);
  });
  test("a bug of the gateway is 500, without details", async () => {
    let broken = false;
    const alarm: typeof realOutside.alarm = (ms, ring) => {
      if (broken) throw new Error("the clock fell down");
      return realOutside.alarm(ms, ring);
    };
    await using faulty = await openSpeaking({ server: "dialect: tokenfactory", outside: { alarm } });
    broken = true;
    const sent = await faulty.ask({ model: "fake", input: "a" });
    broken = false;
    expect(refusalOf(sent)).toMatchObject({ status: 500, code: "internal_error" });
    expect(sent.text).not.toContain("clock");
  });
  test.each(["down", "overloaded", "unauthorized", "nan", "stuck"])(
    "a provider that is %s is unavailable",
    async (fault) => {
      expect(refusalOf(await open.askInHaste({ model: `fake-${fault}`, input: "a" }))).toMatchObject({
        status: 503,
        code: "upstream_unavailable",
      });
      expect(open.rows().at(-1)).toMatchObject({ status: 503, error: "upstream_unavailable" });
    },
  );
});

describe("F5 the cost", () => {
  test("of each call is recorded", async () => {
    await open.ask({ model: MODEL, input: ["two words", "three more words"] });
    expect(open.rows().at(-1)).toMatchObject({ tokens: 5, cost_pico_usd: 5_000_000 });
  });
  test("has a cap, whose error has its own code", async () => {
    await using capped = await openSpeaking({
      server: "dialect: tokenfactory",
      workspace: { cap_usd_per_day: 0.000_000_5 },
    });
    const sent = await capped.ask({ model: MODEL, input: "two words" });
    expect(refusalOf(sent)).toMatchObject({ status: 402, code: "cap_exceeded" });
    expect(capped.calls).toEqual([]);
  });
});
