/**
 * Every kind of invalid body gets a 4xx in OpenAI's envelope that names the field, and one ledger row. A row is a whole request.
 * A new kind of error is a row of BAD; in no case may anything reach a provider.
 */
import { afterAll, beforeAll, describe, expect, test } from "bun:test";
import { Value } from "@sinclair/typebox/value";
import { ErrorResponse } from "../../src/dialects/openai-schema";
import { FAKE_YAML, type OpenGateway, openGateway } from "../gateway";

interface Bad {
  readonly what: string;
  readonly body: unknown;
  readonly status?: number;
  readonly param: string | null;
  readonly code?: string;
  /** Words that the message must contain. */
  readonly says: string;
  readonly headers?: Readonly<Record<string, string>>;
}

const good = { model: "fake", input: "hello" };
const bytes = (...values: number[]) => new Blob([Uint8Array.from(values)]);
const gzipped = (text: string) => new Blob([Bun.gzipSync(text)]);

const BAD: readonly Bad[] = [
  // Not an object at all.
  { what: "an empty body", body: "", param: null, says: "empty" },
  { what: "half a JSON text", body: '{"model": "fake", "inp', param: null, says: "not valid JSON" },
  { what: "no JSON", body: "model=fake&input=hello", param: null, says: "not valid JSON" },
  { what: "two JSON texts", body: '{"model":"fake","input":"a"} {}', param: null, says: "not valid JSON" },
  {
    what: "JSON with a comment",
    body: '{"model":"fake", /* text */ "input":"a"}',
    param: null,
    says: "not valid JSON",
  },
  {
    what: "NaN in JSON",
    body: '{"model":"fake","input":"a","dimensions":NaN}',
    param: null,
    says: "not valid JSON",
  },
  { what: "null", body: "null", param: null, says: "must be a JSON object" },
  { what: "a number", body: "17", param: null, says: "must be a JSON object" },
  { what: "a string", body: '"hello"', param: null, says: "must be a JSON object" },
  { what: "an array", body: "[]", param: null, says: "must be a JSON object" },
  {
    what: "100,000 nested arrays",
    body: `{"model":"fake","input":${"[".repeat(100_000)}${"]".repeat(100_000)}}`,
    param: "input",
    says: "input",
  },
  {
    what: "an extra_body of 100,000 nested arrays",
    body: `{"model":"fake","input":"a","extra_body":{"x":${"[".repeat(100_000)}${"]".repeat(100_000)}}}`,
    param: "extra_body",
    says: "nested too deeply",
  },
  {
    what: "bytes that are not UTF-8",
    body: bytes(0x7b, 0x22, 0xff, 0xfe, 0x22, 0x7d),
    param: null,
    says: "UTF-8",
  },
  { what: "UTF-16", body: bytes(0xff, 0xfe, 0x7b, 0x00, 0x7d, 0x00), param: null, says: "UTF-8" },
  // Headers about the body.
  {
    what: "text/plain",
    body: good,
    headers: { "content-type": "text/plain" },
    status: 415,
    param: null,
    code: "unsupported_media_type",
    says: "application/json",
  },
  {
    what: "a form",
    body: good,
    headers: { "content-type": "application/x-www-form-urlencoded" },
    status: 415,
    param: null,
    says: "application/json",
  },
  {
    what: "a foreign character set",
    body: good,
    headers: { "content-type": "application/json; charset=latin1" },
    status: 415,
    param: null,
    says: "UTF-8",
  },
  {
    what: "an unknown encoding",
    body: good,
    headers: { "content-encoding": "br" },
    status: 415,
    param: null,
    says: "gzip",
  },
  {
    what: "gzip that is none",
    body: good,
    headers: { "content-encoding": "gzip" },
    param: null,
    says: "content-encoding",
  },
  {
    what: "a length over the limit",
    body: good,
    headers: { "content-length": "99999999999" },
    status: 413,
    param: null,
    code: "payload_too_large",
    says: "64 MB",
  },
  // model
  { what: "an empty object", body: {}, param: "model", says: "missing" },
  { what: "no model", body: { input: "a" }, param: "model", says: "missing" },
  { what: "a null model", body: { model: null, input: "a" }, param: "model", says: "must be a string" },
  { what: "a number as model", body: { model: 5, input: "a" }, param: "model", says: "must be a string" },
  { what: "an empty model", body: { model: "", input: "a" }, param: "model", says: "empty" },
  { what: "an endless model", body: { model: "m".repeat(513), input: "a" }, param: "model", says: "512" },
  {
    what: "an unknown model",
    body: { model: "fakee", input: "a" },
    status: 404,
    param: null,
    code: "model_not_found",
    says: "fake",
  },
  {
    what: "a model that cannot embed",
    body: { model: "chat", input: "a" },
    param: "model",
    code: "embeddings_unsupported",
    says: 'model "chat" does not support embeddings',
  },
  // input
  { what: "no input", body: { model: "fake" }, param: "input", says: "missing" },
  { what: "a null input", body: { model: "fake", input: null }, param: "input", says: "null" },
  {
    what: "a number as input",
    body: { model: "fake", input: 5 },
    param: "input",
    says: "a string, an array",
  },
  { what: "true as input", body: { model: "fake", input: true }, param: "input", says: "a string, an array" },
  {
    what: "an object as input",
    body: { model: "fake", input: { text: "a" } },
    param: "input",
    says: "an object",
  },
  { what: "an empty string", body: { model: "fake", input: "" }, param: "input", says: "empty string" },
  { what: "an empty array", body: { model: "fake", input: [] }, param: "input", says: "empty array" },
  {
    what: "an empty string among texts",
    body: { model: "fake", input: ["a", ""] },
    param: "input[1]",
    says: "empty string",
  },
  {
    what: "null among texts",
    body: { model: "fake", input: ["a", null, "b"] },
    param: "input[1]",
    says: "null",
  },
  {
    what: "a number among texts",
    body: { model: "fake", input: ["a", "b", 3] },
    param: "input[2]",
    says: "a string",
  },
  {
    what: "an array among texts",
    body: { model: "fake", input: ["a", ["b"]] },
    param: "input[1]",
    says: "a string",
  },
  {
    what: "an object first",
    body: { model: "fake", input: [{ text: "a" }] },
    param: "input",
    says: "a string, an array",
  },
  {
    what: "2049 texts",
    body: { model: "fake", input: new Array(2049).fill("a") },
    param: "input",
    says: "2048",
  },
  {
    what: "a text among token ids",
    body: { model: "fake", input: [1, "a"] },
    param: "input[1]",
    says: "token id",
  },
  {
    what: "a fraction among token ids",
    body: { model: "fake", input: [1, 2.5] },
    param: "input[1]",
    says: "token id",
  },
  { what: "a negative token id", body: { model: "fake", input: [5, -1] }, param: "input[1]", says: "-1" },
  {
    what: "a token id of no vocabulary",
    body: { model: "fake", input: [100_300] },
    param: "input",
    says: "cl100k_base",
  },
  {
    what: "a token id past 32 bits",
    body: { model: "fake", input: [1, 1e21] },
    param: "input[1]",
    says: "the maximum is",
  },
  {
    what: "an empty token array among others",
    body: { model: "fake", input: [[1], []] },
    param: "input[1]",
    says: "empty array",
  },
  {
    what: "a text in a token array",
    body: {
      model: "fake",
      input: [
        [1, 2],
        [3, "x"],
      ],
    },
    param: "input[1][1]",
    says: "token id",
  },
  {
    what: "2049 token arrays",
    body: { model: "fake", input: new Array(2049).fill([1]) },
    param: "input",
    says: "2048",
  },
  {
    what: "half a surrogate pair",
    body: '{"model":"fake","input":"\\ud83d"}',
    param: "input",
    says: "surrogate",
  },
  {
    what: "half a surrogate pair among texts",
    body: '{"model":"fake","input":["a","\\udc00b"]}',
    param: "input[1]",
    says: "surrogate",
  },
  // The rest.
  {
    what: "an unknown encoding_format",
    body: { ...good, encoding_format: "hex" },
    param: "encoding_format",
    says: '"base64"',
  },
  {
    what: "a list of encodings",
    body: { ...good, encoding_format: ["float"] },
    param: "encoding_format",
    says: "an array",
  },
  { what: "0 dimensions", body: { ...good, dimensions: 0 }, param: "dimensions", says: "the minimum is 1" },
  { what: "negative dimensions", body: { ...good, dimensions: -1 }, param: "dimensions", says: "-1" },
  {
    what: "fractional dimensions",
    body: { ...good, dimensions: 2.5 },
    param: "dimensions",
    says: "an integer",
  },
  {
    what: "dimensions as text",
    body: { ...good, dimensions: "512" },
    param: "dimensions",
    says: "an integer",
  },
  { what: "1e21 dimensions", body: { ...good, dimensions: 1e21 }, param: "dimensions", says: "the maximum" },
  {
    what: "a size that the model does not make",
    body: { ...good, dimensions: 5000 },
    param: "dimensions",
    code: "unsupported_dimensions",
    says: "from 1 to 4096",
  },
  { what: "a number as user", body: { ...good, user: 7 }, param: "user", says: "a string" },
  { what: "stream", body: { ...good, stream: true }, param: "stream", says: "not streamed" },
  { what: "stream as text", body: { ...good, stream: "no" }, param: "stream", says: "false" },
  { what: "metadata as text", body: { ...good, metadata: "a=b" }, param: "metadata", says: "an object" },
  {
    what: "metadata of 65 fields",
    body: { ...good, metadata: Object.fromEntries(Array.from({ length: 65 }, (_, i) => [i, i])) },
    param: "metadata",
    says: "more than 64 fields",
  },
  {
    what: "metadata with a control character deep in it",
    body: { ...good, metadata: { a: [{ b: "x\u001b" }] } },
    param: "metadata.a",
    says: "U+001B",
  },
  {
    what: "metadata that is too large",
    body: { ...good, metadata: { a: Array.from({ length: 80_000 }, () => 1234) } },
    param: "metadata",
    says: "too large",
  },
  {
    what: "metadata that is too deep",
    body: { ...good, metadata: { a: JSON.parse("[".repeat(70) + "]".repeat(70)) } },
    param: "metadata",
    says: "nested too deeply",
  },
  { what: "extra_body as a list", body: { ...good, extra_body: [] }, param: "extra_body", says: "an object" },
  {
    what: "an input in extra_body",
    body: { ...good, extra_body: { input: "other" } },
    param: "extra_body.input",
    says: "field of the request",
  },
  {
    what: "a model in extra_body",
    body: { ...good, extra_body: { model: "other" } },
    param: "extra_body.model",
    says: "field of the request",
  },
  {
    what: "a credential in extra_body",
    body: { ...good, extra_body: { api_key: "sk-1" } },
    param: "extra_body.api_key",
    says: "leave it out",
  },
  {
    what: "an address in extra_body",
    body: { ...good, extra_body: { base_url: "http://x" } },
    param: "extra_body.base_url",
    says: "leave it out",
  },
  { what: "a misspelt field", body: { ...good, dimension: 8 }, param: "dimension", says: "'dimensions'" },
  {
    what: "a field of no plugin",
    body: { ...good, temperature: 1 },
    param: "temperature",
    says: "Unrecognized",
  },
  {
    what: "__proto__ as a field",
    body: '{"model":"fake","input":"a","__proto__":{"x":1}}',
    param: "__proto__",
    says: "Unrecognized",
  },
  {
    what: "a plugin's field with a wrong value",
    body: { ...good, title: 7 },
    param: "title",
    says: "a string",
  },
  {
    what: "a task that nobody knows",
    body: { ...good, input_type: "qeury" },
    param: "input_type",
    says: '"query"',
  },
];

let open: OpenGateway;
beforeAll(async () => {
  open = await openGateway({ yaml: FAKE_YAML });
});
afterAll(() => open[Symbol.asyncDispose]());

describe("a wrong body is refused by name", () => {
  test.each(BAD.map((bad) => [bad.what, bad] as const))("%s", async (_, bad) => {
    const { status, json, headers } = await open.post(bad.body, bad.headers);
    expect(status).toBe(bad.status ?? 400);
    if (!Value.Check(ErrorResponse, json)) throw new Error(`not the envelope: ${JSON.stringify(json)}`);
    expect(Object.keys(json.error).sort()).toEqual(["code", "message", "param", "type"]);
    expect(json.error.type).toBe("invalid_request_error");
    expect(json.error.param).toBe(bad.param);
    expect(json.error.message).toContain(bad.says);
    if (bad.code !== undefined) expect(json.error.code).toBe(bad.code);
    expect(headers.get("x-request-id")).toMatch(/^req_[0-9a-f]{32}$/);
  });

  test("each left one row in the ledger, with no tokens", async () => {
    const [line] = await open.gateway.ledger.usage(0, "workspace");
    expect(Number(line?.requests)).toBe(BAD.length);
    expect(line?.failed).toBe(line?.requests ?? -1n);
    expect(line?.tokens).toBe(0n);
  });

  test("a body that is only over the limit once decompressed is refused too", async () => {
    const bomb = gzipped(`{"model":"fake","input":"${"a".repeat(65 * 1024 * 1024)}"}`);
    const { status } = await open.post(bomb, { "content-encoding": "gzip" });
    expect(status).toBe(413);
  });
});
