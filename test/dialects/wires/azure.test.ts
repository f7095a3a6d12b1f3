/**
 * Azure OpenAI's paths, as its SDKs call them.
 */
import { expect, test } from "bun:test";
import { AzureOpenAI } from "openai";
import { FAKE_YAML, openGateway } from "../../gateway";
import { post, vector } from "./asking";

const VERSION = "?api-version=2024-10-21";

test("the path's deployment is the model, whatever the body says", async () => {
  await using open = await openGateway({ yaml: FAKE_YAML });
  for (const body of [
    { input: "one" },
    { input: "one", model: "text-embedding-ada-002" },
    { input: "one", model: null },
  ]) {
    const path = `/openai/deployments/fake-8/embeddings${VERSION}`;
    const { json } = await open.send(path, post(body));
    expect(json).toMatchObject({ model: "fake-8", data: [{ index: 0, embedding: vector("one", 8) }] });
  }
});

test("the v1 API uses the model of the body, under either base URL", async () => {
  await using open = await openGateway({ yaml: FAKE_YAML });
  for (const path of [
    "/openai/v1/embeddings",
    "/openai/embeddings",
    "/v1/openai/v1/embeddings",
    `/openai/v1/embeddings${VERSION}`,
  ]) {
    const { json } = await open.send(path, post({ input: "one", model: "fake" }));
    expect(json).toMatchObject({ model: "fake", data: [{ embedding: vector("one") }] });
  }
  expect((await open.send(`/openai/models${VERSION}`)).json).toMatchObject({ object: "list" });
});

test.each([
  ["/openai/deployments/none/embeddings", { input: "one" }, 404, "model_not_found"],
  ["/openai/deployments/fake/embeddings", { input: "" }, 400, null],
  ["/openai/deployments/fake/embeddings", [], 400, null],
  ["/openai/v1/embeddings", { input: "one" }, 400, null],
  ["/openai/deployments/fake/completions", {}, 404, "unknown_url"],
])("POST %s %j is %d", async (path, body, status, code) => {
  await using open = await openGateway({ yaml: FAKE_YAML });
  expect(await open.send(path + VERSION, post(body))).toMatchObject({ status, json: { error: { code } } });
});

test("Azure's SDK works, its key in api-key", async () => {
  await using open = await openGateway({ yaml: `${FAKE_YAML}\nauth: { mode: keys }` });
  const { key } = await open.gateway.keys.create("app", "team-a");
  const client = new AzureOpenAI({
    apiKey: key,
    endpoint: "http://localhost:8080",
    apiVersion: "2024-10-21",
    fetch: async (input, init) => open.gateway.door.handle(new Request(String(input), init)),
  });
  const { data } = await client.embeddings.create({ model: "fake", input: ["one", "two"] });
  expect(data.map(({ embedding }) => embedding.map(Math.fround))).toEqual(
    [vector("one"), vector("two")].map((values) => values.map(Math.fround)),
  );
});
