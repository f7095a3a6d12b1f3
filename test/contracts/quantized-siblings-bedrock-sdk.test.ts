/**
 * Q8 with Amazon's own SDK, pointed at the gateway: answers are Amazon's, refusals are its exceptions.
 * quantized-siblings-bedrock.test.ts has the shapes that the SDK never sends.
 */
import { afterAll, beforeAll, describe, expect, test } from "bun:test";
import { BedrockRuntimeClient, InvokeModelCommand } from "@aws-sdk/client-bedrock-runtime";
import { exactVector } from "../../plugins/fake";
import { inType } from "../plugins/vendors/bedrock-models";
import { printed } from "../printing/printed";
import { askAt } from "./sibling";
import { openSpeaking, refusalOf, type Speaking } from "./speaking";

const TITAN = "amazon.titan-embed-text-v2:0";
const COHERE = "cohere.embed-english-v3";

let open: Speaking;
beforeAll(async () => {
  open = await openSpeaking({ server: "dialect: quantized" });
});
afterAll(() => open[Symbol.asyncDispose]());

type SdkRequest = Parameters<BedrockRuntimeClient["config"]["requestHandler"]["handle"]>[0];

async function invoke(modelId: string, body: object, base = "/v1/aws-bedrock", token = open.key) {
  const client = new BedrockRuntimeClient({
    region: "us-east-1",
    endpoint: `http://localhost:8080${base}`,
    maxAttempts: 1,
    token: { token },
    authSchemePreference: ["httpBearerAuth"],
    requestHandler: {
      async handle({ method, protocol, hostname, port, path, headers, body: bytes }: SdkRequest) {
        const text = typeof bytes === "string" ? bytes : new TextDecoder().decode(bytes);
        const url = `${protocol}//${hostname}${port === undefined ? "" : `:${port}`}${path}`;
        const response = await open.gateway.door.handle(new Request(url, { method, headers, body: text }));
        return {
          response: {
            statusCode: response.status,
            headers: Object.fromEntries(response.headers),
            body: response.body,
          },
        };
      },
    },
  });
  const { body: answer } = await client.send(
    new InvokeModelCommand({
      modelId,
      body: JSON.stringify(body),
      contentType: "application/json",
      accept: "application/json",
    }),
  );
  return JSON.parse(new TextDecoder().decode(answer));
}

describe("Q8 Amazon's own SDK", () => {
  test.each([["/v1/aws-bedrock"], ["/v1/aws-bedrock/embeddings"]])(
    "asks Titan, with the endpoint %s",
    async (base) => {
      const reply = await invoke(TITAN, { inputText: "one two", dimensions: 256 }, base);
      expect(reply).toMatchObject({
        embedding: printed(exactVector("one two", 256)),
        inputTextTokenCount: 2,
      });
    },
  );

  test("calls Cohere's models, with types", async () => {
    const body = { texts: ["one", "two"], input_type: "search_query", embedding_types: ["int8", "ubinary"] };
    const { embeddings } = await invoke(COHERE, body);
    for (const type of ["int8", "ubinary"])
      expect(embeddings[type]).toEqual(["one", "two"].map((text) => inType(type, exactVector(text, 1024))));
  });

  test("an id may contain slashes, and belong to any provider", async () => {
    const { embedding } = await invoke("google/text-embedding-004", { inputText: "a text" });
    expect(embedding).toHaveLength(768);
  });

  test.each([
    ["a wrong key", TITAN, { inputText: "a" }, "sk-wrong", "AccessDeniedException", "Incorrect API key"],
    [
      "an unknown model",
      "amazon.titan-9",
      { inputText: "a" },
      undefined,
      "ResourceNotFoundException",
      "does not exist",
    ],
    [
      "a size that there is not",
      TITAN,
      { inputText: "a", dimensions: 300 },
      undefined,
      "ValidationException",
      "300 dimensions",
    ],
    ["nothing to embed", TITAN, {}, undefined, "ValidationException", "'inputText'"],
  ])("%s is Amazon's exception with our words", async (_, model, body, key, name, words) => {
    await expect(invoke(model, body, undefined, key)).rejects.toMatchObject({
      name,
      message: expect.stringContaining(words),
    });
  });

  test("another model in the body, and another of Amazon's calls, are refused", async () => {
    await expect(invoke(TITAN, { model: COHERE, inputText: "a" })).rejects.toThrow("another model");
    expect(refusalOf(await askAt(open, `/v1/aws-bedrock/model/${TITAN}/converse`, {}))).toMatchObject({
      status: 404,
      code: "unknown_url",
    });
  });
});
