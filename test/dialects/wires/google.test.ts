/**
 * Google's own API: the URLs under which it is found, its answers, and errors in Google's envelope.
 * The meaning of its fields is tested in test/contracts/quantized-siblings-gemini*.test.ts.
 */
import { expect, test } from "bun:test";
import { GoogleGenAI } from "@google/genai";
import { FAKE_YAML, openGateway } from "../../gateway";
import { post, vector } from "./asking";

const content = (text: string) => ({ parts: [{ text }] });

test.each([
  "/v1beta/models/fake:embedContent",
  "/v1/models/fake:embedContent",
  "/v1/models/fake%3AembedContent",
  "/models/fake:embedContent",
  "/v1/gemini/models/fake:embedContent",
  "/v1/gemini/v1beta/models/fake:embedContent",
  "/v1/gemini/embeddings/v1/models/fake:embedContent",
  "/v1beta1/publishers/google/models/fake:embedContent",
  "/v1/projects/p/locations/us-central1/publishers/google/models/fake:embedContent",
])("a content is embedded at %s", async (path) => {
  await using open = await openGateway({ yaml: FAKE_YAML });
  const { json } = await open.send(path, post({ content: content("one"), outputDimensionality: 4 }));
  expect(json).toMatchObject({
    embedding: { values: vector("one", 4) },
    usageMetadata: { promptTokenCount: 1 },
  });
});

test.each([
  "/models/fake:generateContent",
  "/models/fake%3AgenerateContent",
  "/models/org/name:streamGenerateContent",
  "/v1/models/fake:generateContent",
  "/v1beta/models/fake:asyncBatchEmbedContent",
  "/v1/gemini/models/fake:generateContent",
  "/v1beta1/publishers/google/models/fake:rawPredict",
  "/v1/projects/p/locations/us-central1/publishers/google/models/fake:streamRawPredict",
])("another call is told in Google's envelope at %s", async (path) => {
  await using open = await openGateway({ yaml: FAKE_YAML });
  const { status, json } = await open.send(path, post({ contents: [content("one")] }));
  expect(status).toBe(404);
  expect(json).toMatchObject({
    error: { code: 404, status: "NOT_FOUND", message: expect.stringContaining("is not supported here") },
  });
});

test("an id with a tag is not a call", async () => {
  const yaml = `${FAKE_YAML}  "fake:latest": { routes: [ { provider: fake } ] }\n`;
  await using open = await openGateway({ yaml });
  const { json } = await open.send("/models/fake:latest", post({ inputs: "one" }));
  expect(json).toEqual([vector("one")]);
});

test("several contents have an embedding each, in their order", async () => {
  await using open = await openGateway({ yaml: FAKE_YAML });
  const requests = ["one", "two"].map((text) => ({ model: "models/fake", content: content(text) }));
  const { json } = await open.send("/v1beta/models/fake:batchEmbedContents", post({ requests }));
  expect(json).toMatchObject({ embeddings: [{ values: vector("one") }, { values: vector("two") }] });
});

const PREDICT = "/v1/projects/p/locations/us-central1/publishers/google/models/fake:predict";

test("Vertex AI's predict answers with the cost of each text", async () => {
  await using open = await openGateway({ yaml: FAKE_YAML });
  const instances = ["one", "two words"].map((text) => ({ content: text, task_type: "RETRIEVAL_QUERY" }));
  const parameters = { autoTruncate: false, outputDimensionality: 4 };
  const { json } = await open.send(PREDICT, post({ instances, parameters }));
  expect(json).toEqual({
    predictions: [
      {
        embeddings: {
          values: vector("query: one", 4),
          statistics: { token_count: 1, truncated: false },
        },
      },
      {
        embeddings: {
          values: vector("query: two words", 4),
          statistics: { token_count: 2, truncated: false },
        },
      },
    ],
  });
});

test("predict truncates a text that is too long unless autoTruncate is false, and says so", async () => {
  const yaml = `
providers: { fake: { plugin: fake } }
models: { fake: { routes: [ { provider: fake } ], tokenizer: cl100k_base, max_input_tokens: 2 } }
`;
  await using open = await openGateway({ yaml });
  const body = { instances: [{ content: "one two three four" }] };
  expect((await open.send(PREDICT, post(body))).json).toMatchObject({
    predictions: [{ embeddings: { values: vector("one two"), statistics: { truncated: true } } }],
  });
  const whole = { ...body, parameters: { autoTruncate: false } };
  expect((await open.send(PREDICT, post(whole))).status).toBe(400);
});

test.each([
  [{ instances: [] }, "instances"],
  [{ instances: [{ content: "" }] }, "instances[0].content"],
  [{ instances: [{ content: "one", title: "a" }, { content: "two" }] }, "instances[1].title"],
  [{ instances: [{ content: "one", task_type: "NONSENSE" }] }, "instances[0].task_type"],
  [
    { instances: [{ content: "one" }], parameters: { outputDimensionality: 5000 } },
    "parameters.outputDimensionality",
  ],
  [{ instances: [{ content: "one", image: {} }] }, "instances[0].image"],
])("predict names the field: %j", async (body, field) => {
  await using open = await openGateway({ yaml: FAKE_YAML });
  const { json, status } = await open.send(PREDICT, post(body));
  expect(status).toBe(400);
  expect(json).toMatchObject({
    error: {
      code: 400,
      status: "INVALID_ARGUMENT",
      details: expect.arrayContaining([
        {
          "@type": "type.googleapis.com/google.rpc.BadRequest",
          fieldViolations: [{ field, description: expect.any(String) }],
        },
      ]),
    },
  });
});

test("errors have Google's envelope: the status as a number and as a word", async () => {
  await using open = await openGateway({ yaml: `${FAKE_YAML}\nauth: { mode: keys }` });
  const { key } = await open.gateway.keys.create("app", "team-a");
  const ask = (path: string, secret: string) =>
    open.send(path, post({ content: content("one") }, { "x-goog-api-key": secret }));
  expect(await ask("/v1beta/models/fake:embedContent", "none")).toMatchObject({
    status: 401,
    json: { error: { code: 401, status: "UNAUTHENTICATED" } },
  });
  expect(await ask("/v1/models/none:embedContent", key)).toMatchObject({
    status: 404,
    json: { error: { code: 404, status: "NOT_FOUND", details: [{ reason: "MODEL_NOT_FOUND" }] } },
  });
  expect(await ask("/v1beta/models/fake:generateContent", key)).toMatchObject({
    status: 404,
    json: { error: { code: 404, status: "NOT_FOUND" } },
  });
  expect(await open.send("/v1beta/models/fake:embedContent")).toMatchObject({
    status: 405,
    json: { error: { code: 405, status: "UNIMPLEMENTED" } },
  });
});

test("models are listed in Google's form for requests like those of Google's clients", async () => {
  await using open = await openGateway({ yaml: FAKE_YAML });
  const { json } = await open.send("/v1beta/models");
  expect(json).toMatchObject({
    models: [{ name: "models/fake", supportedGenerationMethods: ["embedContent"] }, {}, {}],
  });
  for (const path of ["/v1/gemini/v1beta/models", "/v1/gemini/models"])
    expect((await open.send(path)).json).toEqual(json);
  const google = { headers: { "x-goog-api-client": "google-genai-sdk/1" } };
  expect((await open.send("/v1/models", google)).json).toEqual(json);
  expect((await open.send("/v1/models/fake", google)).json).toMatchObject({ name: "models/fake" });
  expect((await open.send("/v1beta/models/fake-8")).json).toMatchObject({ name: "models/fake-8" });
  expect((await open.send("/v1/models")).json).toMatchObject({ object: "list" });
});

test("Google's SDK works with the gateway's address as its base URL, lists models, and reads errors", async () => {
  await using open = await openGateway({ yaml: FAKE_YAML });
  const { models } = new GoogleGenAI({
    apiKey: "any",
    httpOptions: {
      baseUrl: "http://localhost:8080",
      fetch: async (input: RequestInfo | URL, init?: RequestInit) =>
        open.gateway.door.handle(new Request(String(input), init)),
    },
  });
  const { embeddings } = await models.embedContent({ model: "fake", contents: ["one", "two"] });
  expect(embeddings?.map(({ values }) => values)).toEqual([vector("one"), vector("two")]);
  const names: string[] = [];
  for await (const { name } of await models.list()) names.push(String(name));
  expect(names).toEqual(["models/fake", "models/fake-8", "models/docs"]);
  const wrong = models.embedContent({ model: "none", contents: "one" });
  await expect(wrong).rejects.toMatchObject({ status: 404 });
});

test("the counted tokens are those that an embedding is billed for", async () => {
  const yaml = `
providers:
  local: { plugin: local }
  fake: { plugin: fake }
models:
  all-MiniLM-L6-v2: { routes: [ { provider: local } ] }
  marked: { routes: [ { provider: fake, model: fake } ], tokenizer: bert_uncased }
  wanting: { routes: [ { provider: fake, model: fake } ], tokenizer: bert_uncased, prompts: { document: "passage: " }, default_task: document }
`;
  await using open = await openGateway({ yaml });
  const texts = ["hello world", "naïve [SEP]"];
  const contents = texts.map((text) => ({ parts: [{ text }] }));
  const counted = async (model: string) =>
    (await open.send(`/v1beta/models/${model}:countTokens`, post({ contents }))).json;
  const billed = (await open.post({ model: "all-MiniLM-L6-v2", input: texts })).json;
  expect(billed).toMatchObject({ usage: { total_tokens: 4 } });
  expect(await counted("all-MiniLM-L6-v2")).toEqual({ totalTokens: 4 });
  // Servers count the two marks of each text, and the prompt.
  expect(await counted("marked")).toEqual({ totalTokens: 8 });
  expect(await counted("wanting")).toEqual({ totalTokens: 12 });
});

test("tokens are counted if the model's vocabulary is known", async () => {
  const yaml = `
providers: { fake: { plugin: fake } }
models:
  known: { routes: [ { provider: fake, model: fake } ], tokenizer: cl100k_base }
  unknown: { routes: [ { provider: fake, model: fake-8 } ] }
`;
  await using open = await openGateway({ yaml });
  const contents = [{ role: "user", parts: [{ text: "hello world" }, { text: "hello" }] }];
  for (const body of [{ contents }, { generateContentRequest: { contents } }]) {
    const { json } = await open.send("/v1beta/models/known:countTokens", post(body));
    expect(json).toEqual({ totalTokens: 3 });
  }
  expect(await open.send("/v1/models/unknown:countTokens", post({ contents }))).toMatchObject({
    status: 400,
    json: { error: { status: "INVALID_ARGUMENT", message: expect.stringContaining("tokenizer") } },
  });
  expect((await open.send("/v1/models/none:countTokens", post({ contents }))).status).toBe(404);
  expect((await open.send("/v1/models/known:countTokens", post({}))).json).toMatchObject({
    error: { message: "'contents' is missing." },
  });
});
