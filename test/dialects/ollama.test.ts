/**
 * Ollama's API: its own shapes, its own errors, the same vectors as /v1/embeddings, for a model of any provider.
 */
import { describe, expect, test } from "bun:test";
import { Type } from "@sinclair/typebox";
import { Value } from "@sinclair/typebox/value";
import { type OpenGateway, openGateway } from "../gateway";

const YAML = `
server: { default_model: fake-8 }
providers:
  fake: { plugin: fake }
models:
  fake-8: { routes: [ { provider: fake } ], max_input_tokens: 8192 }
  "Vendor/Fake": { routes: [ { provider: fake, model: fake } ] }
  tagged:latest: { routes: [ { provider: fake, model: fake } ] }
  chat: { embeddings: false }
`;

const Vectors = Type.Array(Type.Array(Type.Number()));
const Embedded = Type.Object({
  model: Type.String(),
  embeddings: Vectors,
  total_duration: Type.Integer(),
  load_duration: Type.Integer(),
  prompt_eval_count: Type.Integer(),
});
const ByOpenai = Type.Object({
  data: Type.Array(Type.Object({ embedding: Type.Array(Type.Number()) })),
  usage: Type.Object({ total_tokens: Type.Integer() }),
});

const post = (open: OpenGateway, path: string, body: unknown, headers: Record<string, string> = {}) =>
  open.send(path, {
    method: "POST",
    headers: { "content-type": "application/json", ...headers },
    body: typeof body === "string" ? body : JSON.stringify(body),
  });

async function asked(path: string, body: unknown, headers?: Record<string, string>) {
  await using open = await openGateway({ yaml: YAML });
  return await post(open, path, body, headers);
}

/** What /v1/embeddings answers for the same texts. */
async function oracle(
  open: OpenGateway,
  model: string,
  input: string | readonly string[],
  more: object = {},
) {
  const { data, usage } = Value.Parse(ByOpenai, (await open.post({ model, input, ...more })).json);
  return { vectors: data.map(({ embedding }) => embedding), tokens: usage.total_tokens };
}

describe("/api/embed", () => {
  test.each([
    ["one text", "hello"],
    ["texts", ["hello", "world", "hello"]],
    ["one in a list", ["hello"]],
  ])("%s: the vectors and tokens of /v1/embeddings, in order", async (_, input) => {
    await using open = await openGateway({ yaml: YAML });
    const sent = await post(open, "/api/embed", { model: "fake-8", input });
    expect(sent.status).toBe(200);
    const { embeddings, prompt_eval_count, model, load_duration } = Value.Parse(Embedded, sent.json);
    const { vectors, tokens } = await oracle(open, "fake-8", input);
    expect(embeddings).toEqual(vectors);
    expect([model, prompt_eval_count, load_duration]).toEqual(["fake-8", tokens, 0]);
  });

  test("other dimensions", async () => {
    await using open = await openGateway({ yaml: YAML });
    const sent = await post(open, "/api/embed", { model: "Vendor/Fake", input: "a", dimensions: 8 });
    const { vectors } = await oracle(open, "Vendor/Fake", "a", { dimensions: 8 });
    expect(Value.Parse(Embedded, sent.json).embeddings).toEqual(vectors);
  });

  test.each([
    ["an empty text", { model: "fake-8", input: "" }],
    ["no texts", { model: "fake-8", input: [] }],
    ["no input, which is how clients load a model", { model: "fake-8" }],
  ])("%s: no embeddings, as Ollama answers it", async (_, body) => {
    const sent = await asked("/api/embed", body);
    expect(sent.status).toBe(200);
    expect(sent.json).toMatchObject({ model: "fake-8", embeddings: [], prompt_eval_count: 0 });
  });

  test.each(["fake-8:latest", "tagged", "tagged:latest"])(
    "%s: a missing tag means `latest`",
    async (model) => {
      const sent = await asked("/api/embed", { model, input: "a" });
      expect(sent.json).toMatchObject({ model, embeddings: [expect.any(Array)] });
    },
  );

  test("without a model: the default_model", async () => {
    expect((await asked("/api/embed", { input: "a" })).json).toMatchObject({ model: "fake-8" });
  });

  test("fields without effect are accepted and named in a header", async () => {
    const body = {
      model: "fake-8",
      input: "a",
      options: { num_ctx: 2048 },
      keep_alive: "5m",
      truncate: null,
    };
    const sent = await asked("/api/embed", body);
    expect(sent.status).toBe(200);
    expect(sent.headers.get("x-embedgate-ignored")).toBe("options, keep_alive");
    const none = await asked("/api/embed", { model: "fake-8", input: "a", options: null, keep_alive: null });
    expect(none.headers.get("x-embedgate-ignored")).toBeNull();
  });

  test("a text that is too long is truncated, and refused if truncate is false", async () => {
    await using open = await openGateway({ yaml: YAML.replace("8192", "16, tokenizer: cl100k_base") });
    const input = ["short", "word ".repeat(40)];
    const cut = await post(open, "/api/embed", { model: "fake-8", input });
    expect(cut.headers.get("x-embedgate-truncated")).toBe("1");
    expect(await post(open, "/api/embed", { model: "fake-8", input, truncate: false })).toMatchObject({
      status: 400,
      json: { error: expect.stringContaining("input[1]") },
    });
  });

  test("a body that curl sends without a content type", async () => {
    const sent = await asked("/api/embed", '{"model":"fake-8","input":"a"}', {
      "content-type": "application/x-www-form-urlencoded",
    });
    expect(sent.status).toBe(200);
  });

  test.each([
    ["an unknown model", { model: "nope", input: "a" }, 404, "nope"],
    ["another case", { model: "FAKE-8", input: "a" }, 404, "Did you mean `fake-8`?"],
    ["an escaped slash", { model: "Vendor%2FFake", input: "a" }, 404, "Did you mean `Vendor/Fake`?"],
    ["a model that cannot", { model: "chat", input: "a" }, 400, "does not support embeddings"],
    ["token ids", { model: "fake-8", input: [1, 2] }, 400, "token ids"],
    ["a number", { model: "fake-8", input: 7 }, 400, "'input' must be a string or an array of strings"],
    ["an empty text in a list", { model: "fake-8", input: ["a", ""] }, 400, "'input[1]' is an empty string"],
    ["half a character", { model: "fake-8", input: ["a", "\ud800"] }, 400, "'input[1]'"],
    ["an unknown field", { model: "fake-8", input: "a", inputs: "b" }, 400, "'inputs' is not supported here"],
    ["an array", [], 400, "body"],
    ["no JSON", "{", 400, "not valid JSON"],
    ["too many", { model: "fake-8", input: new Array(2049).fill("a") }, 400, "at most 2048"],
    ["a size that it has not", { model: "fake-8", input: "a", dimensions: 9999 }, 400, "9999"],
  ])("%s: Ollama's envelope, a text", async (_, body, status, says) => {
    const sent = await asked("/api/embed", body);
    expect(sent.status).toBe(status);
    expect(sent.json).toEqual({ error: expect.stringContaining(says) });
  });

  test("status codes are Ollama's, whatever the gateway's dialect", async () => {
    await using open = await openGateway({
      yaml: YAML.replace("server: {", "server: { dialect: quantized,"),
    });
    expect((await post(open, "/api/embed", { model: "fake-8", input: 7 })).status).toBe(400);
    expect((await post(open, "/api/embed", { model: "nope", input: "a" })).status).toBe(404);
  });

  test("keys, ledger and limits are the same", async () => {
    await using open = await openGateway({ yaml: YAML });
    await open.gateway.workspaces.create("team", { requests_per_minute: 1 }, undefined);
    const { key } = await open.gateway.keys.create("k", "team");
    const headers = { authorization: `Bearer ${key}` };
    expect(await post(open, "/api/embed", { model: "fake-8", input: "a" })).toMatchObject({
      status: 401,
      json: { error: expect.stringContaining("API key") },
    });
    expect((await post(open, "/api/embed", { model: "fake-8:latest", input: "a" }, headers)).status).toBe(
      200,
    );
    expect((await post(open, "/api/embed", { model: "fake-8", input: "a" }, headers)).status).toBe(429);
    expect((await open.send("/api/tags")).status).toBe(401);
  });
});

describe("/api/embeddings", () => {
  test("the same vector, alone", async () => {
    await using open = await openGateway({ yaml: YAML });
    const sent = await post(open, "/api/embeddings", { model: "fake-8", prompt: "hello" });
    const { vectors } = await oracle(open, "fake-8", "hello");
    expect(sent.json).toEqual({ embedding: vectors[0] });
  });

  test("an empty prompt: no numbers", async () => {
    expect((await asked("/api/embeddings", { model: "fake-8", prompt: "" })).json).toEqual({ embedding: [] });
  });

  test("a wrong prompt is named in the error", async () => {
    const sent = await asked("/api/embeddings", { model: "fake-8", prompt: ["a"] });
    expect(sent).toMatchObject({ status: 400, json: { error: expect.stringContaining("'prompt'") } });
  });
});

describe("what clients ask first", () => {
  test.each(["GET", "HEAD"])(
    "%s / says that somebody is there; a browser is shown the dashboard",
    async (method) => {
      await using open = await openGateway({ yaml: YAML });
      const sent = await open.send("/", { method });
      expect([sent.status, sent.text]).toEqual([200, method === "GET" ? "Ollama is running" : ""]);
      const browser = await open.send("/", {
        method,
        headers: { accept: "text/html,*/*" },
      });
      expect([browser.status, browser.headers.get("content-type")]).toEqual([
        200,
        expect.stringContaining("text/html"),
      ]);
    },
  );

  test("/api/version and / need no key", async () => {
    await using open = await openGateway({ yaml: YAML });
    await open.gateway.keys.create("k", "team");
    expect((await open.send("/")).status).toBe(200);
    expect((await open.send("/api/version")).json).toEqual({
      version: expect.stringMatching(/^\d+\.\d+\.\d+$/),
    });
  });

  test("/api/tags lists what embeds, each with a tag and a digest that stays", async () => {
    const Tags = Type.Object({
      models: Type.Array(Type.Object({ name: Type.String(), digest: Type.String() })),
    });
    const read = async () => {
      await using open = await openGateway({ yaml: YAML });
      return Value.Parse(Tags, (await open.send("/api/tags")).json).models;
    };
    const models = await read();
    expect(models.map(({ name }) => name)).toEqual(["fake-8:latest", "Vendor/Fake:latest", "tagged:latest"]);
    expect(await read()).toEqual(models);
  });

  test("/api/show has the dimensions under the architecture's name", async () => {
    const sent = await asked("/api/show", { model: "fake-8:latest" });
    expect(sent.json).toMatchObject({
      capabilities: ["embedding"],
      model_info: {
        "general.architecture": "embedgate",
        "embedgate.context_length": 8192,
        "embedgate.embedding_length": 8,
      },
    });
    // As Ollama's client for Go writes it.
    const unsaid = { system: "", template: "", verbose: false, options: null, name: "" };
    const asGo = await asked("/api/show", { model: "fake-8", ...unsaid });
    expect(asGo).toMatchObject({ status: 200, json: { capabilities: ["embedding"] } });
    const unknown = await asked("/api/show", { model: "nope" });
    expect(unknown).toMatchObject({ status: 404, json: { error: expect.stringContaining("nope") } });
  });

  test("/api/ps lists nothing; an unknown path, and another method, get errors in Ollama's envelope", async () => {
    await using open = await openGateway({ yaml: YAML });
    expect((await open.send("/api/ps")).json).toEqual({ models: [] });
    expect(await open.send("/api/chat")).toMatchObject({ status: 404, json: { error: expect.any(String) } });
    expect(await open.send("/api/embed")).toMatchObject({ status: 405, json: { error: expect.any(String) } });
  });
});
