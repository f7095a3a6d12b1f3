/**
 * Lists of models in the shapes of OpenRouter and of LM Studio: the models that the caller may use, with the facts of /v1/models.
 */
import { expect, test } from "bun:test";
import { openGateway } from "../gateway";

const YAML = `
providers:
  fake: { plugin: fake }
models:
  "vendor/Fake": { routes: [ { provider: fake, model: fake } ], price: 0.02, max_input_tokens: 8192 }
  free: { routes: [ { provider: fake, model: fake } ], price: 0 }
  unknown: { routes: [ { provider: fake, model: fake } ] }
  chat: { embeddings: false }
`;

test("OpenRouter's: embedding models, with prices per token", async () => {
  await using open = await openGateway({ yaml: YAML });
  for (const path of ["/v1/embeddings/models", "/api/v1/embeddings/models", "/embeddings/models"]) {
    const { status, json } = await open.send(path);
    expect(status).toBe(200);
    expect(json).toMatchObject({
      data: [
        { id: "vendor/Fake", context_length: 8192, pricing: { prompt: "0.00000002", completion: "0" } },
        { id: "free", pricing: { prompt: "0" } },
        { id: "unknown" },
      ],
    });
  }
});

test("LM Studio's: all, each with its type", async () => {
  await using open = await openGateway({ yaml: YAML });
  const { json } = await open.send("/api/v0/models");
  const model = {
    id: "vendor/Fake",
    object: "model",
    type: "embeddings",
    publisher: "fake",
    state: "loaded",
  };
  expect(json).toMatchObject({
    object: "list",
    data: [
      { ...model, max_context_length: 8192 },
      { id: "free" },
      { id: "unknown" },
      { id: "chat", type: "llm" },
    ],
  });
  expect((await open.send("/api/v0/models/vendor/Fake")).json).toMatchObject(model);
  expect(await open.send("/api/v0/models/nope")).toMatchObject({
    status: 404,
    json: { error: expect.any(String) },
  });
  expect(await open.send("/api/v0/nope")).toMatchObject({ status: 404, json: { error: expect.any(String) } });
});

test("LM Studio's embeddings equal those of /v1/embeddings", async () => {
  await using open = await openGateway({ yaml: YAML });
  const init = {
    method: "POST",
    headers: { "content-type": "application/json" },
    body: JSON.stringify({ model: "free", input: ["a", "b"] }),
  };
  const [own, usual] = [await open.send("/api/v0/embeddings", init), await open.send("/v1/embeddings", init)];
  expect(own.json).toEqual({ ...Object(usual.json), id: own.headers.get("x-request-id") });
});

test("only models that the caller may use are listed", async () => {
  await using open = await openGateway({ yaml: YAML });
  await open.gateway.workspaces.create("team", { models: ["free"] }, undefined);
  const { key } = await open.gateway.keys.create("k", "team");
  for (const path of ["/v1/embeddings/models", "/api/v0/models", "/api/tags"]) {
    const { text } = await open.send(path, { headers: { authorization: `Bearer ${key}` } });
    expect([path, text.includes("free"), text.includes("vendor/Fake")]).toEqual([path, true, false]);
    expect((await open.send(path)).status).toBe(401);
  }
});
