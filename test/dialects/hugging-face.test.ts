/**
 * The API of text-embeddings-inference and of Hugging Face: a list of lists, the model in the path or the gateway's default one, errors
 * with their type, the same vectors as /v1/embeddings.
 */
import { describe, expect, test } from "bun:test";
import { type Static, Type } from "@sinclair/typebox";
import { Value } from "@sinclair/typebox/value";
import { type OpenGateway, openGateway } from "../gateway";

const YAML = `
server: { default_model: fake-8 }
providers:
  fake: { plugin: fake, timeout_ms: 1000 }
models:
  fake-8: { routes: [ { provider: fake } ] }
  "vendor/Fake": { routes: [ { provider: fake, model: fake } ] }
  short: { routes: [ { provider: fake, model: fake } ], max_input_tokens: 16, tokenizer: cl100k_base }
  bert: { routes: [ { provider: fake, model: fake } ], tokenizer: bert_uncased }
  chat: { embeddings: false }
  fake-nan: { routes: [ { provider: fake } ] }
`;

const Vectors = Type.Array(Type.Array(Type.Number()));
const Tokens = Type.Array(
  Type.Array(
    Type.Object({
      id: Type.Integer(),
      text: Type.String(),
      special: Type.Boolean(),
      start: Type.Union([Type.Integer(), Type.Null()]),
      stop: Type.Union([Type.Integer(), Type.Null()]),
    }),
  ),
);
/** The text at each token's position. */
function within(text: string, tokens: Static<typeof Tokens>[number] = []): string[] {
  const bytes = Buffer.from(text);
  return tokens.map(({ start, stop }) => bytes.subarray(start ?? 0, stop ?? 0).toString());
}

const ByOpenai = Type.Object({
  data: Type.Array(Type.Object({ embedding: Type.Array(Type.Number()) })),
  usage: Type.Object({ total_tokens: Type.Integer() }),
});

const post = (open: OpenGateway, path: string, body: unknown) =>
  open.send(path, {
    method: "POST",
    headers: { "content-type": "application/json" },
    body: typeof body === "string" ? body : JSON.stringify(body),
  });

async function asked(path: string, body: unknown, yaml = YAML) {
  await using open = await openGateway({ yaml });
  return await post(open, path, body);
}

async function oracle(open: OpenGateway, model: string, input: unknown) {
  const { data, usage } = Value.Parse(ByOpenai, (await open.post({ model, input })).json);
  return { vectors: data.map(({ embedding }) => embedding), tokens: usage.total_tokens };
}

describe("/embed", () => {
  test.each([
    ["/tei/fake-8/embed", "fake-8"],
    ["/tei/fake-8", "fake-8"],
    ["/tei/fake-8/", "fake-8"],
    ["/tei/fake-8/invocations", "fake-8"],
    ["/tei/vendor/Fake/embed", "vendor/Fake"],
    ["/tei/vendor%2FFake/embed", "vendor/Fake"],
    ["/v1/tei/fake-8/embed", "fake-8"],
    ["/embed", "fake-8"],
    ["/", "fake-8"],
    ["/v1", "fake-8"],
    ["/invocations", "fake-8"],
    ["/models/vendor/Fake/pipeline/feature-extraction", "vendor/Fake"],
    ["/hf-inference/models/vendor/Fake/pipeline/feature-extraction", "vendor/Fake"],
    ["/pipeline/feature-extraction/vendor/Fake", "vendor/Fake"],
    ["/models/vendor/Fake", "vendor/Fake"],
    ["/hf-inference/models/vendor/Fake", "vendor/Fake"],
  ])("%s: the vectors of %s, in order", async (path, model) => {
    await using open = await openGateway({ yaml: YAML });
    const inputs = ["hello", "world", "hello"];
    const sent = await post(open, path, { inputs });
    expect(sent.status).toBe(200);
    const { vectors, tokens } = await oracle(open, model, inputs);
    expect(Value.Parse(Vectors, sent.json)).toEqual(vectors);
    expect(sent.headers.get("x-compute-tokens")).toBe(String(tokens));
    expect(sent.headers.get("x-compute-characters")).toBe("15");
    expect(sent.headers.get("x-total-time")).toMatch(/^\d+$/);
  });

  test("one text gives a list of one", async () => {
    await using open = await openGateway({ yaml: YAML });
    const sent = await post(open, "/embed", {
      inputs: "hello",
      normalize: true,
      truncate: null,
      encoding_format: null,
    });
    expect(sent.json).toEqual((await oracle(open, "fake-8", "hello")).vectors);
  });

  test("settings where older clients put them, and other dimensions", async () => {
    await using open = await openGateway({ yaml: YAML });
    const body = {
      inputs: "hello",
      parameters: { dimensions: 8, truncate: true },
      options: { use_cache: false },
    };
    const sent = await post(open, "/tei/vendor/Fake", body);
    expect([sent.status, sent.headers.get("x-embedgate-ignored")]).toEqual([200, "options"]);
    expect(Value.Parse(Vectors, sent.json)[0]).toHaveLength(8);
    // LangChain for Go.
    const older = { inputs: ["hello"], use_gpu: false, wait_for_model: true };
    const again = await post(open, "/models/vendor/Fake", older);
    expect([again.status, again.headers.get("x-embedgate-ignored")]).toEqual([
      200,
      "use_gpu, wait_for_model",
    ]);
  });

  // Haystack's embedders send it unless told otherwise.
  test("normalize: false gets the provider's own vectors; a header says so unless it was asked for", async () => {
    await using open = await openGateway({ yaml: YAML });
    const sent = await post(open, "/embed", { inputs: ["hello"], normalize: false, truncate: true });
    expect([sent.status, sent.headers.get("x-embedgate-ignored")]).toEqual([200, "normalize"]);
    expect(sent.json).toEqual((await oracle(open, "fake-8", ["hello"])).vectors);
    const strict = YAML.replace("server: {", "server: { policies: { unused_hints: reject },");
    expect(await asked("/embed", { inputs: "a", normalize: false }, strict)).toMatchObject({
      status: 422,
      json: { error: expect.stringContaining("'normalize' has no effect") },
    });
  });

  test("a text that is too long is refused, or truncated at the requested end", async () => {
    await using open = await openGateway({ yaml: YAML });
    const inputs = ["short", "word ".repeat(40)];
    expect(await post(open, "/tei/short/embed", { inputs })).toMatchObject({
      status: 422,
      json: { error: expect.stringContaining("inputs[1]"), error_type: "validation" },
    });
    const cut = await post(open, "/tei/short/embed", {
      inputs,
      truncate: true,
      truncation_direction: "Right",
    });
    expect([cut.status, cut.headers.get("x-embedgate-truncated")]).toEqual([200, "1"]);
    const left = await post(open, "/tei/short/embed", {
      inputs,
      truncate: true,
      truncation_direction: "left",
    });
    expect(left).toMatchObject({
      status: 422,
      json: { error: expect.stringContaining("only be cut at its end") },
    });
  });

  test.each([
    ["an unknown model", "/tei/nope/embed", { inputs: "a" }, 404, "validation", "nope"],
    [
      "another case",
      "/tei/Vendor/fake/embed",
      { inputs: "a" },
      404,
      "validation",
      "Did you mean `vendor/Fake`?",
    ],
    [
      "an escape too many",
      "/tei/vendor%252FFake",
      { inputs: "a" },
      404,
      "validation",
      "Did you mean `vendor/Fake`?",
    ],
    [
      "a model that cannot",
      "/tei/chat/embed",
      { inputs: "a" },
      422,
      "validation",
      "does not support embeddings",
    ],
    ["token ids", "/embed", { inputs: [[1, 2]] }, 422, "validation", "token ids"],
    ["no inputs", "/embed", {}, 422, "validation", "'inputs' is missing"],
    ["an empty list", "/embed", { inputs: [] }, 422, "validation", "'inputs'"],
    ["an empty text", "/embed", { inputs: "" }, 400, "empty", "'inputs' is an empty string"],
    ["an empty text in a list", "/embed", { inputs: ["a", ""] }, 400, "empty", "'inputs[1]'"],
    ["OpenAI's word", "/embed", { input: "a" }, 422, "validation", "'input' is taken at /v1/embeddings"],
    ["Cohere's word", "/", { texts: ["a"] }, 422, "validation", "'texts' is taken at /v1/embed"],
    ["no word", "/", {}, 422, "validation", "'inputs' is missing"],
    [
      "an unknown field",
      "/embed",
      { inputs: "a", nope: 1 },
      422,
      "validation",
      "'nope' is not supported here",
    ],
    ["embed_all", "/tei/fake-8/embed_all", { inputs: "a" }, 404, "validation", "each token"],
    ["embed_sparse", "/embed_sparse", { inputs: "a" }, 404, "validation", "sparse"],
    ["what there is not", "/tei", {}, 404, "validation", "Unknown path"],
    ["a fault of the provider's", "/tei/fake-nan", { inputs: "a" }, 502, "backend", "not finite"],
  ])("%s: TEI's envelope", async (_, path, body, status, error_type, says) => {
    const sent = await asked(path, body);
    expect(sent.status).toBe(status);
    expect(sent.json).toEqual({ error: expect.stringContaining(says), error_type });
  });

  test("without a default model the root path says what is missing", async () => {
    const sent = await asked(
      "/embed",
      { inputs: "a" },
      YAML.replace("server: { default_model: fake-8 }", ""),
    );
    expect(sent).toMatchObject({ status: 422, json: { error: expect.stringContaining("default_model") } });
  });
});

test("TEI's OpenAI route: OpenAI's answer for the path's model, flat errors", async () => {
  await using open = await openGateway({ yaml: YAML });
  const sent = await post(open, "/tei/vendor/Fake/v1/embeddings", { model: "tei", input: ["a", "b"] });
  const plain = await open.post({ model: "vendor/Fake", input: ["a", "b"] });
  expect(sent.json).toEqual({ ...Object(plain.json), id: sent.headers.get("x-request-id") });
  expect(await post(open, "/tei/vendor/Fake/v1/embeddings", { input: 7 })).toMatchObject({
    status: 422,
    json: { error: expect.stringContaining("'input'"), error_type: "validation" },
  });
});

describe("/tokenize", () => {
  test("if the vocabulary is known: ids, texts and positions", async () => {
    await using open = await openGateway({ yaml: YAML });
    const inputs = ["hello world", "naïve 😀!", ""];
    const sent = await post(open, "/tei/short/tokenize", { inputs, add_special_tokens: true });
    expect(sent.status).toBe(200);
    const [first, second, third] = Value.Parse(Tokens, sent.json);
    expect(first).toEqual([
      { id: 15339, text: "hello", special: false, start: 0, stop: 5 },
      { id: 1917, text: " world", special: false, start: 5, stop: 11 },
    ]);
    expect([within("naïve 😀!", second).join(""), third]).toEqual(["naïve 😀!", []]);
  });

  test("BERT's: its marks around the text unless the request excludes them, positions in bytes like TEI's", async () => {
    await using open = await openGateway({ yaml: YAML });
    const [start, end] = [
      { id: 101, text: "[CLS]", special: true, start: null, stop: null },
      { id: 102, text: "[SEP]", special: true, start: null, stop: null },
    ];
    const own = [
      { id: 15743, text: "Naïve", special: false, start: 0, stop: 6 },
      { id: 1755, text: "京", special: false, start: 7, stop: 10 },
    ];
    const sent = await post(open, "/tei/bert/tokenize", { inputs: "Naïve 京" });
    expect([sent.status, sent.json]).toEqual([200, [[start, ...own, end]]]);
    const bare = { inputs: ["Naïve 京", ""], add_special_tokens: false };
    expect((await post(open, "/tei/bert/tokenize", bare)).json).toEqual([own, []]);
  });

  test("of as much text as is allowed, in many steps", async () => {
    await using open = await openGateway({ yaml: YAML });
    const text = "a!?b".repeat(32_768);
    const sent = await post(open, "/tei/short/tokenize", { inputs: text });
    const [tokens = []] = Value.Parse(Tokens, sent.json);
    expect(within(text, tokens).join("") === text).toBe(true);
    expect(tokens.length).toBeGreaterThan(32_768);
  });

  test.each([
    ["a vocabulary that is not known", "/tei/fake-8/tokenize", { inputs: "a" }, 422, "tokenizer"],
    ["no texts", "/tei/short/tokenize", { inputs: 7 }, 422, "'inputs'"],
    [
      "more text than is answered in one piece",
      "/tei/short/tokenize",
      { inputs: "a!".repeat(65_537) },
      413,
      "'inputs'",
    ],
    [
      "more texts than are",
      "/tei/short/tokenize",
      { inputs: Array(3).fill("é".repeat(21_846)) },
      413,
      "'inputs'",
    ],
    ["an unknown model", "/tei/nope/tokenize", { inputs: "a" }, 404, "nope"],
  ])("%s", async (_, path, body, status, says) => {
    expect(await asked(path, body)).toMatchObject({ status, json: { error: expect.stringContaining(says) } });
  });
});

describe("what clients ask first", () => {
  test("/info: the model's limits", async () => {
    await using open = await openGateway({ yaml: YAML });
    const facts = { model_id: "short", max_input_length: 16, max_client_batch_size: 2048 };
    expect((await open.send("/tei/short/info")).json).toMatchObject(facts);
    expect((await open.send("/info")).json).toMatchObject({ model_id: "fake-8" });
    expect((await open.send("/tei/nope/info")).status).toBe(404);
  });

  test.each(["/tei/fake-8/health", "/tei/fake-8/ping", "/health", "/ping"])(
    "%s needs no key",
    async (path) => {
      await using open = await openGateway({ yaml: YAML });
      await open.gateway.keys.create("k", "default");
      expect((await open.send(path)).status).toBe(200);
      expect((await open.send("/tei/fake-8/info")).status).toBe(401);
    },
  );
});
