/**
 * Cohere's API: what its clients send and read, compared with the fake provider's exact vectors.
 */
import { expect, test } from "bun:test";
import { exactVector } from "../../../plugins/fake";
import { FAKE_YAML, openGateway } from "../../gateway";
import { post, vector } from "./asking";

test("version 2 answers by type, float if none is requested, with the texts and their cost", async () => {
  await using open = await openGateway({ yaml: FAKE_YAML });
  const { status, json } = await open.send("/v2/embed", post({ model: "fake", texts: ["one", "two words"] }));
  expect(status).toBe(200);
  expect(json).toEqual({
    id: expect.stringMatching(/^req_/),
    texts: ["one", "two words"],
    embeddings: { float: [vector("one"), vector("two words")] },
    meta: { api_version: { version: "2" }, billed_units: { input_tokens: 3 } },
    response_type: "embeddings_by_type",
    usage: { prompt_tokens: 3, total_tokens: 3 },
  });
});

test("version 1 answers a list of embeddings, or by type if types are requested", async () => {
  await using open = await openGateway({ yaml: FAKE_YAML });
  const plain = await open.send("/v1/embed", post({ model: "fake", texts: ["one"] }));
  expect(plain.json).toMatchObject({
    embeddings: [vector("one")],
    response_type: "embeddings_floats",
    meta: { api_version: { version: "1" } },
  });
  const typed = await open.send(
    "/v1/embed",
    post({ model: "fake", texts: ["one"], embedding_types: ["float", "base64"] }),
  );
  expect(typed.json).toMatchObject({
    embeddings: {
      float: [vector("one")],
      base64: [Buffer.from(exactVector("one", 16).buffer).toString("base64")],
    },
    response_type: "embeddings_by_type",
  });
});

test("inputs, a task and dimensions have their effect", async () => {
  await using open = await openGateway({ yaml: FAKE_YAML });
  const body = {
    model: "fake",
    inputs: [{ content: [{ type: "text", text: "one" }] }],
    input_type: "search_query",
    output_dimension: 4,
    embedding_types: null,
    truncate: "NONE",
    images: null,
  };
  const { status, json } = await open.send("/v2/embed", post(body));
  expect({ status, json }).toMatchObject({
    status: 200,
    json: { embeddings: { float: [vector("query: one", 4)] } },
  });
});

test.each([
  [{ texts: ["one", ""] }, 400, "'texts[1]' is an empty string"],
  [{ texts: "one" }, 400, "'texts' must be an array"],
  [{}, 400, "'texts' is missing"],
  [{ input: ["one"] }, 400, "'input' is OpenAI's name: send 'texts'"],
  [{ texts: ["one"], inputs: [{ content: [{ type: "text", text: "one" }] }] }, 400, "'inputs' has inputs"],
  [{ inputs: [{ content: [{ type: "image_url" }] }] }, 400, "images are not embedded here"],
  [{ inputs: ["one"] }, 400, "clients of text-embeddings-inference: leave /v1 out"],
  [{ images: ["data:image/png;base64,AA=="], texts: ["one"] }, 400, "'images"],
  [{ texts: ["one"], embedding_types: ["int8"] }, 400, "no embeddings of the type int8"],
  [{ texts: ["one"], embedding_types: ["int4"] }, 400, "'embedding_types[0]' must be"],
  [{ texts: ["one"], output_dimension: 5000 }, 400, "5000 dimensions"],
  [{ texts: ["one"], input_type: "serch_query" }, 400, "'input_type' is \"serch_query\""],
  [{ texts: ["one"], max_tokens: 4 }, 400, "'max_tokens'"],
  [{ texts: ["one"], model: "none" }, 404, "none"],
])("a wrong request is told in Cohere's envelope: %j", async (body, status, words) => {
  await using open = await openGateway({ yaml: FAKE_YAML });
  const sent = await open.send("/v2/embed", post({ model: "fake", ...body }));
  expect(sent.status).toBe(status);
  expect(sent.json).toEqual({ message: expect.stringContaining(words) });
});

const SHORT = (more = "") => `
providers: { fake: { plugin: fake } }
models: { short: { routes: [ { provider: fake, model: fake } ], tokenizer: cl100k_base, max_input_tokens: 2${more} } }
`;
const LONG = { model: "short", texts: ["one two three four"] };

test("a text that is too long is truncated at its end, as at Cohere, and a header says so; with NONE it is refused", async () => {
  await using open = await openGateway({ yaml: SHORT() });
  const { json, headers } = await open.send("/v2/embed", post(LONG));
  expect(json).toMatchObject({ embeddings: { float: [vector("one two")] } });
  expect(headers.get("x-embedgate-truncated")).toBe("0");
  expect(await open.send("/v2/embed", post({ ...LONG, truncate: "NONE" }))).toMatchObject({
    status: 400,
    json: { message: expect.stringContaining("texts[0]") },
  });
  // Other APIs are unaffected.
  expect((await open.post({ model: "short", input: LONG.texts })).status).toBe(400);
});

test("the routing file's long_input overrides Cohere's default", async () => {
  await using open = await openGateway({ yaml: SHORT(", long_input: average") });
  const { headers } = await open.send("/v2/embed", post(LONG));
  expect(headers.get("x-embedgate-averaged")).toBe("0");
});

test("status codes are Cohere's in every dialect", async () => {
  await using open = await openGateway({ yaml: `${FAKE_YAML}\nserver: { dialect: quantized }` });
  expect((await open.send("/v2/embed", post({ model: "fake", texts: [] }))).status).toBe(400);
  expect((await open.send("/v1/embed", post({ model: "none", texts: ["one"] }))).status).toBe(404);
});

test("parts of Cohere's API that are not served get errors in its envelope", async () => {
  await using open = await openGateway({ yaml: FAKE_YAML });
  const { status, json } = await open.send(
    "/v2/rerank",
    post({ model: "fake", query: "a", documents: ["b"] }),
  );
  expect({ status, json }).toEqual({
    status: 404,
    json: { message: expect.stringContaining("Unknown path") },
  });
});

test("the key is checked", async () => {
  await using open = await openGateway({ yaml: `${FAKE_YAML}\nauth: { mode: keys }` });
  const { json, status } = await open.send("/v1/check-api-key", post({}, { authorization: "Bearer none" }));
  expect({ json, status }).toEqual({ json: { message: expect.stringContaining("API key") }, status: 401 });
  const { key } = await open.gateway.keys.create("app", "team-a");
  const right = await open.send("/v1/check-api-key", {
    method: "POST",
    headers: { authorization: `Bearer ${key}` },
  });
  expect(right.json).toEqual({ valid: true });
});

test("models are listed in Cohere's form for requests like those of Cohere's clients", async () => {
  await using open = await openGateway({ yaml: FAKE_YAML });
  const { json } = await open.send("/v1/models?endpoint=embed");
  expect(json).toMatchObject({
    models: [{ name: "fake", endpoints: ["embed"], is_deprecated: false }, {}, {}],
  });
  expect((await open.send("/v1/models?endpoint=chat")).json).toEqual({ models: [] });
  const sdk = { headers: { "x-fern-sdk-name": "cohere" } };
  expect((await open.send("/v1/models", sdk)).json).toEqual(json);
  expect((await open.send("/v1/models/fake", sdk)).json).toMatchObject({ name: "fake" });
  expect((await open.send("/v1/models")).json).toMatchObject({ object: "list" });
});

test("Cohere's path for OpenAI's SDKs answers like /v1/embeddings", async () => {
  await using open = await openGateway({ yaml: FAKE_YAML });
  const { json } = await open.send("/compatibility/v1/embeddings", post({ model: "fake", input: "one" }));
  expect(json).toMatchObject({ object: "list", data: [{ embedding: vector("one") }] });
  const wrong = await open.send("/compatibility/v1/embeddings", post({ model: "fake" }));
  expect(wrong.json).toMatchObject({ error: { param: "input" } });
});
