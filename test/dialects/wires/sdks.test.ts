/**
 * Voyage AI's and Mistral's SDKs, which use OpenAI's paths and are recognised by their headers.
 */
import { expect, test } from "bun:test";
import { Mistral } from "@mistralai/mistralai";
import { HTTPClient } from "@mistralai/mistralai/lib/http.js";
import { OpenRouter, HTTPClient as OpenRouterHttp } from "@openrouter/sdk";
import { VoyageAIClient } from "voyageai";
import { FAKE_YAML, openGateway } from "../../gateway";
import { vector } from "./asking";

test("Voyage AI's SDK embeds, and reads what was wrong", async () => {
  await using open = await openGateway({ yaml: FAKE_YAML });
  const client = new VoyageAIClient({
    apiKey: "any",
    environment: "http://localhost:8080/v1",
    fetch: Object.assign(
      async (input: RequestInfo | URL, init?: RequestInit) =>
        open.gateway.door.handle(new Request(String(input), init)),
      { preconnect: fetch.preconnect },
    ),
  });
  const { data, usage } = await client.embed({
    model: "fake",
    input: ["one", "two words"],
    truncation: true,
    outputDimension: 4,
    outputDtype: "float",
    inputType: "query",
  });
  expect(data?.map(({ embedding }) => embedding)).toEqual([
    vector("query: one", 4),
    vector("query: two words", 4),
  ]);
  expect(usage).toMatchObject({ totalTokens: 3 });
  // Its result is not a Promise, but a class of its own.
  const wrong = (async () => await client.embed({ model: "none", input: "one" }))();
  await expect(wrong).rejects.toMatchObject({ statusCode: 404 });
});

test("errors have a detail only for requests that may come from Voyage AI's SDKs", async () => {
  await using open = await openGateway({ yaml: FAKE_YAML });
  const wrong = { model: "fake", input: "" };
  const message = expect.stringContaining("'input' is an empty string");
  for (const agent of ["python-requests/2.34.2", "Python/3.14 aiohttp/3.15.1"]) {
    const { json } = await open.post(wrong, { "user-agent": agent });
    expect(json).toMatchObject({ detail: message, error: { message, param: "input" } });
  }
  expect((await open.post(wrong)).json).toEqual({
    error: { message, type: "invalid_request_error", param: "input", code: null },
  });
});

test("Mistral's SDK embeds, lists models and reads errors", async () => {
  await using open = await openGateway({ yaml: FAKE_YAML });
  const httpClient = new HTTPClient({
    fetcher: async (input, init) => open.gateway.door.handle(new Request(input, init)),
  });
  const client = new Mistral({ apiKey: "any", serverURL: "http://localhost:8080", httpClient });
  const inputs = ["one", "two words"];
  const { id, data } = await client.embeddings.create({ model: "fake", inputs, outputDimension: 4 });
  expect(id).toMatch(/^req_/);
  expect(data.map(({ embedding }) => embedding)).toEqual([vector("one", 4), vector("two words", 4)]);
  const listed = await client.models.list();
  expect(listed.data?.map((model) => Object(model).id)).toEqual(["fake", "fake-8", "docs", "chat"]);
  expect(await client.models.retrieve({ modelId: "fake" })).toMatchObject({ id: "fake" });
  await expect(client.embeddings.create({ model: "none", inputs })).rejects.toMatchObject({
    statusCode: 404,
  });
});

test("OpenRouter's SDK lists models, even with unknown prices, and page by page", async () => {
  const more = Array.from({ length: 600 }, (_, i) => `  m${i}: { routes: [ { provider: o } ] }`);
  await using open = await openGateway({
    yaml: `providers: { o: { plugin: openai, api_key: key } }\nmodels:\n${more.join("\n")}`,
  });
  const httpClient = new OpenRouterHttp({
    fetcher: async (input, init) => open.gateway.door.handle(new Request(input, init)),
  });
  const client = new OpenRouter({ apiKey: "any", serverURL: "http://localhost:8080/v1", httpClient });
  for (const asked of [() => client.embeddings.listModels(), () => client.models.list()]) {
    const ids: string[] = [];
    for await (const { result } of await asked()) ids.push(...result.data.map(({ id }) => id));
    expect(ids).toEqual(more.map((_, i) => `m${i}`));
  }
  const [first] = (await client.embeddings.listModels({ offset: 599, limit: 10 })).result.data;
  expect(first).toMatchObject({ id: "m599", pricing: { prompt: "-1" } });
});
