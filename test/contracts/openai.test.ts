/**
 * The `openai` dialect, line by line: each test is named after its number in the contract.
 * A line without a test here is not guaranteed.
 */
import { afterAll, beforeAll, describe, expect, test } from "bun:test";
import { type Static, Type } from "@sinclair/typebox";
import { Value } from "@sinclair/typebox/value";
import { exactVector } from "../../plugins/fake";
import { EmbeddingsResponse, ErrorResponse, Model } from "../../src/dialects/openai-schema";
import { realOutside } from "../../src/network/real-outside";
import { FAKE_YAML, type OpenGateway, openGateway, type Sent } from "../gateway";

const faulty = [
  "nan",
  "down",
  "unauthorized",
  "overloaded",
  "missing",
  "stuck",
  "short",
  "flaky",
  "shuffled",
  "uncounted",
];
const YAML = `${FAKE_YAML}
${faulty.map((word) => `  fake-${word}: { routes: [ { provider: fake } ] }`).join("\n")}
  limited: { routes: [ { provider: fake, model: fake } ], max_input_tokens: 8192, tokenizer: cl100k_base }
  fixed: { routes: [ { provider: fake, model: fake } ], dimensions: 16, dimensions_allowed: [ 4, 16 ] }
  matryoshka: { routes: [ { provider: fake, model: fake } ], dimensions_allowed: [ 16 ], dimensions_policy: truncate }
  "company/team/deployment": { routes: [ { provider: fake, model: fake-8 } ] }
server: { deadline_ms: 3000 }
`;

let open: OpenGateway;
beforeAll(async () => {
  open = await openGateway({ yaml: YAML });
});
afterAll(() => open[Symbol.asyncDispose]());

function answerOf(sent: Sent): Static<typeof EmbeddingsResponse> {
  expect(sent.status).toBe(200);
  return Value.Parse(EmbeddingsResponse, sent.json);
}

function errorOf(sent: Sent): Static<typeof ErrorResponse>["error"] {
  return Value.Parse(ErrorResponse, sent.json).error;
}

function floats(embedding: number[] | string): Float32Array {
  if (typeof embedding !== "string") return Float32Array.from(embedding);
  const bytes = Uint8Array.fromBase64(embedding);
  return new Float32Array(bytes.buffer);
}

const embed = async (body: object) => answerOf(await open.post(body));

describe("O1 the path, the key, the model", () => {
  test.each([["fake-8"], ["docs"], ["company/team/deployment"]])("the id %s is answered", async (model) => {
    expect((await embed({ model, input: "a" })).model).toBe(model);
  });
});

describe("O2 the four forms of input", () => {
  test("a string is one input", async () => {
    expect((await embed({ model: "fake", input: "hello there" })).data).toHaveLength(1);
  });
  test("an array of strings is as many inputs", async () => {
    expect((await embed({ model: "fake", input: ["a", "b", "c"] })).data).toHaveLength(3);
  });
  test("an array of token ids is one input, decoded for a model that takes text", async () => {
    const sent = await open.post({ model: "fake", input: [15339, 1917] });
    expect(floats(answerOf(sent).data[0]?.embedding ?? "")).toEqual(exactVector("hello world", 16));
    expect(sent.headers.get("x-embedgate-decoded")).toBe("cl100k_base");
  });
  test("an array of token arrays is as many inputs", async () => {
    const { data } = await embed({ model: "fake", input: [[15339], [1917], [15339, 1917]] });
    expect(data.map(({ embedding }) => floats(embedding))).toEqual(
      ["hello", " world", "hello world"].map((text) => exactVector(text, 16)),
    );
  });
});

describe("O3 limits", () => {
  test("2048 inputs come back in order; the flat array's ids are not counted as inputs", async () => {
    const input = Array.from({ length: 2048 }, (_, i) => `text ${i}`);
    const { data } = await embed({ model: "fake-8", input });
    expect(data.map(({ index }) => index)).toEqual(input.map((_, i) => i));
    expect(
      data.every(({ embedding }, i) => Bun.deepEquals(floats(embedding), exactVector(`text ${i}`, 8))),
    ).toBe(true);
    expect((await embed({ model: "fake", input: new Array(3000).fill(1917) })).data).toHaveLength(1);
  });
  test("2049 inputs are refused", async () => {
    expect((await open.post({ model: "fake", input: new Array(2049).fill("a") })).status).toBe(400);
  });
  test.each([["hello ".repeat(9000)], ["a".repeat(200_000)], ["日".repeat(20_000)]])(
    "a text of more than 8192 tokens is refused by name, before it is sent",
    async (long) => {
      const sent = await open.post({ model: "limited", input: ["fine", long] });
      expect(sent.status).toBe(400);
      expect(errorOf(sent)).toMatchObject({
        type: "invalid_request_error",
        param: "input[1]",
        code: "context_length_exceeded",
      });
    },
  );
  test("8192 tokens are accepted, 8193 are not, in text and in ids", async () => {
    const text = (tokens: number) => `hello${" hello".repeat(tokens - 1)}`;
    expect((await open.post({ model: "limited", input: text(8192) })).status).toBe(200);
    const over = await open.post({ model: "limited", input: text(8193) });
    expect(errorOf(over)).toMatchObject({ param: "input", code: "context_length_exceeded" });
    expect((await open.post({ model: "limited", input: new Array(8192).fill(1917) })).status).toBe(200);
  });
  test("an empty string and an empty array are refused", async () => {
    for (const input of ["", [], [""], [[]]])
      expect((await open.post({ model: "fake", input })).status).toBe(400);
  });
});

describe("O4 encoding_format, dimensions, user", () => {
  test("float and base64 are the same values bit for bit, and float is the default", async () => {
    const input = ["one", "two"];
    const plain = await embed({ model: "fake", input });
    const float = await embed({ model: "fake", input, encoding_format: "float" });
    const base64 = await embed({ model: "fake", input, encoding_format: "base64" });
    expect(float).toEqual(plain);
    expect(base64.data.every(({ embedding }) => typeof embedding === "string")).toBe(true);
    expect(base64.data.map(({ embedding }) => floats(embedding))).toEqual(
      plain.data.map(({ embedding }) => floats(embedding)),
    );
  });
  test("the model itself makes the dimensions if it can", async () => {
    const { data } = await embed({ model: "fake", input: "a", dimensions: 5 });
    expect(floats(data[0]?.embedding ?? "")).toEqual(exactVector("a", 5));
  });
  test("dimensions that the model does not support are refused, with the allowed ones", async () => {
    const sent = await open.post({ model: "fixed", input: "a", dimensions: 8 });
    expect(sent.status).toBe(400);
    expect(errorOf(sent)).toMatchObject({ param: "dimensions", code: "unsupported_dimensions" });
    expect(errorOf(sent).message).toContain("4, 16 are allowed");
  });
  test("the model's only dimensions may be requested", async () => {
    expect((await open.post({ model: "fixed", input: "a", dimensions: 16 })).status).toBe(200);
  });
  test("if the routing file allows it, smaller dimensions are cut and renormalised", async () => {
    const { data } = await embed({ model: "matryoshka", input: "a", dimensions: 6 });
    const vector = floats(data[0]?.embedding ?? "");
    const whole = exactVector("a", 16);
    const norm = Math.hypot(...whole.subarray(0, 6));
    expect(vector).toEqual(Float32Array.from(whole.subarray(0, 6), (value) => value / norm));
  });
});

describe("O5 metadata, O6 extra_body", () => {
  test("metadata is accepted", async () => {
    expect(
      (
        await open.post({
          model: "fake",
          input: "a",
          metadata: { team: "search", run: 7, tags: ["a", { b: null }] },
        })
      ).status,
    ).toBe(200);
  });
  test("extra_body may not set what the gateway is responsible for", async () => {
    for (const field of [
      "model",
      "input",
      "dimensions",
      "encoding_format",
      "user",
      "stream",
      "api_key",
      "base_url",
    ]) {
      const sent = await open.post({ model: "fake", input: "a", extra_body: { [field]: "x" } });
      expect(sent.status).toBe(400);
      expect(errorOf(sent).param).toBe(`extra_body.${field}`);
    }
  });
});

describe("O7 the answer", () => {
  test("has OpenAI's members and no others, data in input order, both counts equal", async () => {
    const answer = await embed({ model: "docs", input: ["two words", "and three words"] });
    expect(Object.keys(answer).sort()).toEqual(["data", "model", "object", "usage"]);
    expect(answer.data.map((entry) => Object.keys(entry).sort())).toEqual([
      ["embedding", "index", "object"],
      ["embedding", "index", "object"],
    ]);
    expect(answer.data.map(({ index }) => index)).toEqual([0, 1]);
    expect(answer.usage).toEqual({ prompt_tokens: 5, total_tokens: 5 });
  });
  test("a provider's order does not matter, its index does", async () => {
    const input = Array.from({ length: 50 }, (_, i) => `text ${i}`);
    const { data } = await embed({ model: "fake-shuffled", input });
    expect(data.map(({ embedding }) => floats(embedding))).toEqual(
      input.map((text) => exactVector(text, 16)),
    );
  });
  test("a missing count is estimated, and a header says so", async () => {
    const sent = await open.post({ model: "fake-uncounted", input: "sixteen letters!" });
    expect(answerOf(sent).usage.prompt_tokens).toBe(4);
    expect(sent.headers.get("x-embedgate-usage")).toBe("estimated");
  });
  test("has the headers that OpenAI's SDKs read, and the vectors' space and provider", async () => {
    const { headers } = await open.post({ model: "fake-8", input: "a" });
    expect(headers.get("content-type")).toBe("application/json");
    expect(headers.get("x-request-id")).toMatch(/^req_/);
    expect(headers.get("openai-processing-ms")).toMatch(/^\d+$/);
    expect(headers.get("x-embedding-space")).toBe("fake-8@8");
    expect(headers.get("x-embedgate-provider")).toBe("fake");
  });
});

describe("O8 errors", () => {
  /** Waits are a hundredth as long, so that pauses between attempts, and attempts without an answer, take no time. */
  let hurried: OpenGateway;
  beforeAll(async () => {
    const sleep: typeof realOutside.sleep = (ms, signal) => realOutside.sleep(ms / 100, signal);
    const alarm: typeof realOutside.alarm = (ms, ring) => realOutside.alarm(ms / 100, ring);
    const patient = YAML.replace("timeout_ms: 1000", "timeout_ms: 10000").replace("deadline_ms: 3000", "");
    hurried = await openGateway({ yaml: patient, outside: { sleep, alarm } });
  });
  afterAll(() => hurried[Symbol.asyncDispose]());

  const cases: readonly (readonly [string, number, string, string])[] = [
    ["fake-nan", 502, "upstream_malformed", "server_error"],
    ["fake-short", 502, "upstream_malformed", "server_error"],
    ["fake-down", 503, "upstream_unavailable", "server_error"],
    ["fake-overloaded", 503, "upstream_unavailable", "server_error"],
    ["fake-unauthorized", 503, "upstream_unavailable", "server_error"],
    ["fake-stuck", 504, "upstream_timeout", "server_error"],
    ["fake-missing", 404, "model_not_found", "invalid_request_error"],
    ["no-such-model", 404, "model_not_found", "invalid_request_error"],
  ];
  test.each(cases)("%s ends in %i %s", async (model, status, code, type) => {
    const sent = await hurried.post({ model, input: ["a", "b"] });
    expect(sent.status).toBe(status);
    expect(errorOf(sent)).toMatchObject({ code, type, param: null });
    expect(sent.headers.get("x-request-id")).toMatch(/^req_/);
  });
  test("a provider's rate limit says when to come back", async () => {
    const { headers } = await hurried.post({ model: "fake-overloaded", input: "a" });
    expect(headers.get("retry-after")).toBe("1");
  });
  test("a connection that broke once is retried", async () => {
    expect((await hurried.post({ model: "fake-flaky", input: "a" })).status).toBe(200);
  });
  test("another method and another path get their errors", async () => {
    const wrongMethod = await open.send("/v1/embeddings", { method: "PUT", body: "{}" });
    expect([wrongMethod.status, errorOf(wrongMethod).code, wrongMethod.headers.get("allow")]).toEqual([
      405,
      "method_not_allowed",
      "POST",
    ]);
    const unknownPath = await open.send("/v1/embedings");
    expect([unknownPath.status, errorOf(unknownPath).code]).toEqual([404, "unknown_url"]);
  });
});

describe("O8a the body's small print", () => {
  test("null means absent, false is not true, half a character is none, the last duplicate key wins", async () => {
    expect((await open.post({ model: "fake", input: "a", dimensions: null })).status).toBe(200);
    expect((await open.post({ model: "fake", input: "a", stream: false })).status).toBe(200);
    expect((await open.post({ model: "fake", input: "a", stream: true })).status).toBe(400);
    expect((await open.post('{"model":"fake","input":"\\ud800"}')).status).toBe(400);
    expect((await open.post('{"model":"nope","input":"a","model":"fake"}')).status).toBe(200);
  });
});

describe("O9 the models", () => {
  const List = Type.Object({ object: Type.Literal("list"), data: Type.Array(Model) });
  test("are listed, including aliases and those that cannot embed", async () => {
    const { data } = Value.Parse(List, (await open.send("/v1/models")).json);
    const byId = new Map(data.map((model) => [model.id, model]));
    expect(byId.get("fake-8")).toMatchObject({
      object: "model",
      owned_by: "fake",
      embeddings: true,
      dimensions: 8,
    });
    expect(byId.get("docs")).toMatchObject({ dimensions: 8, price_usd_per_million_tokens: 0.02 });
    expect(byId.get("chat")).toMatchObject({ embeddings: false, dimensions: null });
  });
  test.each([
    ["/v1/models/docs"],
    ["/v1/models/company%2Fteam%2Fdeployment"],
    ["/v1/models/company/team/deployment"],
    ["/v1/models/chat"],
  ])("%s shows one", async (path) => {
    const sent = await open.send(path);
    expect(sent.status).toBe(200);
    expect(Value.Check(Model, sent.json)).toBe(true);
  });
  test("one that does not exist is 404", async () => {
    expect((await open.send("/v1/models/nope")).status).toBe(404);
  });
});
