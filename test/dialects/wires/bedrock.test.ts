/**
 * Amazon Bedrock's path at the root: content types, ids of models in Amazon's forms, Nova's shape, and the headers.
 * Titan's and Cohere's shapes are tested in test/contracts/quantized-siblings-bedrock*.test.ts.
 */
import { expect, test } from "bun:test";
import { openGateway } from "../../gateway";
import { post, vector } from "./asking";

const YAML = `
providers: { fake: { plugin: fake } }
models:
  "amazon.titan-embed-text-v2:0": { routes: [ { provider: fake, model: fake } ] }
  "eu.cohere.embed-v4:0": { routes: [ { provider: fake, model: fake-8 } ] }
  a1b2c3d4e5f6: { alias_of: "eu.cohere.embed-v4:0" }
  "arn:aws:bedrock:eu-west-1:123456789012:provisioned-model/x": { alias_of: "eu.cohere.embed-v4:0" }
`;
const TITAN = "amazon.titan-embed-text-v2:0";

test.each(["application/octet-stream", "application/json", undefined])(
  "a body is read as JSON, with the content type %s",
  async (type) => {
    await using open = await openGateway({ yaml: YAML });
    const { json, headers } = await open.send(`/model/${TITAN}/invoke`, {
      method: "POST",
      headers: type === undefined ? {} : { "content-type": type },
      body: new TextEncoder().encode(JSON.stringify({ inputText: "one two" })),
    });
    expect(json).toMatchObject({ embedding: vector("one two"), inputTextTokenCount: 2 });
    expect(headers.get("x-amzn-bedrock-input-token-count")).toBe("2");
    expect(headers.get("x-amzn-requestid")).toBe(headers.get("x-request-id"));
  },
);

test("on other paths application/octet-stream is not JSON", async () => {
  await using open = await openGateway({ yaml: YAML });
  const body = { model: TITAN, input: "one" };
  const sent = await open.send("/v1/embeddings", post(body, { "content-type": "application/octet-stream" }));
  expect(sent.status).toBe(415);
});

test.each([
  [encodeURIComponent(TITAN), 16],
  [encodeURIComponent(`arn:aws:bedrock:us-east-1::foundation-model/${TITAN}`), 16],
  [encodeURIComponent(`arn:aws:bedrock:us-east-1:123456789012:inference-profile/us.${TITAN}`), 16],
  [`us.${TITAN}`, 16],
  [`global.${TITAN}`, 16],
  // The routing file says which models these are.
  [
    encodeURIComponent("arn:aws:bedrock:us-east-1:123456789012:application-inference-profile/a1b2c3d4e5f6"),
    8,
  ],
  [encodeURIComponent("arn:aws:bedrock:eu-west-1:123456789012:provisioned-model/x"), 8],
  // As the routing file has it.
  ["eu.cohere.embed-v4:0", 8],
])("the id %s means the model that it names", async (id, size) => {
  await using open = await openGateway({ yaml: YAML });
  const { json } = await open.send(`/model/${id}/invoke`, post({ inputText: "one" }));
  expect(json).toMatchObject({ embedding: vector("one", size) });
});

test.each([
  ["application-inference-profile/abc", "add `abc: { alias_of: MODEL }` to `models` in the routing file"],
  ["provisioned-model/x1", "An ARN of the kind provisioned-model does not say which model it is"],
  ["custom-model-deployment/y", "`y: { alias_of: MODEL }`"],
  // The ARN names the model.
  ["foundation-model/amazon.titan-embed-text-v9:0", "GET /v1/models lists all models"],
  ["/", "GET /v1/models lists all models"],
])("an ARN of no known model, …/%s, is 404 in Amazon's words, with what to do", async (resource, words) => {
  await using open = await openGateway({ yaml: YAML });
  const arn = encodeURIComponent(`arn:aws:bedrock:us-east-1:123456789012:${resource}`);
  const { status, headers, json } = await open.send(`/model/${arn}/invoke`, post({ inputText: "one" }));
  expect([status, headers.get("x-amzn-errortype")]).toEqual([404, "ResourceNotFoundException"]);
  expect(json).toMatchObject({ message: expect.stringContaining(words) });
});

const nova = (params: object, more: object = {}) => ({
  schemaVersion: "nova-multimodal-embed-v1",
  taskType: "SINGLE_EMBEDDING",
  singleEmbeddingParams: params,
  ...more,
});

test("Nova's body is answered in Nova's shape", async () => {
  await using open = await openGateway({ yaml: YAML });
  const body = nova({
    embeddingPurpose: "TEXT_RETRIEVAL",
    embeddingDimension: 4,
    text: { truncationMode: "END", value: "one" },
  });
  const { json } = await open.send(`/model/${TITAN}/invoke`, post(body));
  expect(json).toMatchObject({
    embeddings: [{ embeddingType: "TEXT", embedding: vector("query: one", 4) }],
    inputTokenCount: 1,
  });
});

test.each([
  [nova({ text: { value: "" } }), "singleEmbeddingParams.text.value"],
  [nova({ text: { value: "a" }, image: {} }), "singleEmbeddingParams.image"],
  [nova({ text: { value: "a" } }, { taskType: "SEGMENTED_EMBEDDING" }), "taskType"],
  [nova({ text: { value: "a" }, embeddingPurpose: "NONE" }), "singleEmbeddingParams.embeddingPurpose"],
  [nova({ text: { value: "a" } }, { inputText: "b" }), "singleEmbeddingParams.text.value"],
  [{}, "input"],
])("a wrong body names the field: %j", async (body, field) => {
  await using open = await openGateway({ yaml: YAML });
  const sent = await open.send(`/model/${TITAN}/invoke`, post(body));
  expect(sent).toMatchObject({
    status: 400,
    json: {
      __type: "ValidationException",
      message: expect.stringContaining(`'${field}'`),
      error: { param: field },
    },
  });
  expect(sent.headers.get("x-amzn-errortype")).toBe("ValidationException");
});

test("a signature is refused with a hint about keys, and other calls get errors in Amazon's form", async () => {
  await using open = await openGateway({ yaml: `${YAML}\nauth: { mode: keys }` });
  const signed = {
    authorization: "AWS4-HMAC-SHA256 Credential=AKIA/20261128/us-east-1/bedrock/aws4_request",
  };
  const sent = await open.send(`/model/${TITAN}/invoke`, post({ inputText: "one" }, signed));
  expect(sent.status).toBe(401);
  expect(sent.json).toMatchObject({
    __type: "AccessDeniedException",
    message: expect.stringMatching(/AWS4-HMAC-SHA256.*AWS_BEARER_TOKEN_BEDROCK/),
  });
  expect(await open.send(`/model/${TITAN}/converse`, post({}))).toMatchObject({
    status: 404,
    json: { __type: "ResourceNotFoundException", message: expect.stringContaining("Unknown path") },
  });
});
