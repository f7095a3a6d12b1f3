/**
 * Amazon's own SDK as the oracle for the fake and for the plugin: the SDK accepts the fake, and our requests equal the SDK's.
 * A body that the plugin can make is a row of SAME.
 */
import { describe, expect, test } from "bun:test";
import { BedrockRuntimeClient, InvokeModelCommand } from "@aws-sdk/client-bedrock-runtime";
import type { EmbedCall } from "../../../src/plugin";
import { callFor, openSubject } from "../conformance/subject";
import { BEDROCK_KEY, bedrockVendor, REGION } from "../vendors/bedrock";
import { AWS_KEYS } from "../vendors/bedrock-signature";
import { COHERE, COHERE4, NOVA, subject, subjectOf, TITAN } from "./subject";

describe("Amazon's SDK as the oracle", () => {
  type SdkRequest = Parameters<BedrockRuntimeClient["config"]["requestHandler"]["handle"]>[0];
  interface Sent {
    readonly method: string;
    readonly url: string;
    readonly headers: Headers;
    readonly body: string;
  }

  async function throughSdk(modelId: string, body: unknown, credentials: object = AWS_KEYS) {
    const sent: Sent[] = [];
    const client = new BedrockRuntimeClient({
      region: REGION,
      maxAttempts: 1,
      ...("token" in credentials
        ? { token: { token: String(credentials.token) }, authSchemePreference: ["httpBearerAuth"] }
        : { credentials: AWS_KEYS }),
      requestHandler: {
        async handle({ method, protocol, hostname, path, headers, body: bytes }: SdkRequest) {
          const text = typeof bytes === "string" ? bytes : new TextDecoder().decode(bytes);
          const url = `${protocol}//${hostname}${path}`;
          const one = { method, url, headers: new Headers(headers), body: text };
          sent.push(one);
          const response = await bedrockVendor().fetch(one.url, one);
          return {
            response: {
              statusCode: response.status,
              headers: Object.fromEntries(response.headers),
              body: new Response(await response.arrayBuffer()).body,
            },
          };
        },
      },
    });
    const answer = await client.send(
      new InvokeModelCommand({ modelId, body: JSON.stringify(body), contentType: "application/json" }),
    );
    return { sent, reply: JSON.parse(new TextDecoder().decode(answer.body)) };
  }

  const bodyOf = async (model: string, inputs: readonly string[], call: Partial<EmbedCall> = {}) => {
    const { upstream, network } = openSubject(subjectOf(model));
    await upstream.embed(callFor(subject, inputs, { ...call, model }));
    const [ours] = network.requests;
    if (!ours) throw new Error("Nothing was sent.");
    return ours;
  };

  test("the SDK is satisfied by the fake, including signatures", async () => {
    const { reply } = await throughSdk(TITAN, { inputText: "one", dimensions: 256 });
    expect(reply).toMatchObject({ inputTextTokenCount: 1 });
    expect(reply.embedding).toHaveLength(256);
    const bearer = await throughSdk(TITAN, { inputText: "one" }, { token: BEDROCK_KEY });
    expect(bearer.sent[0]?.headers.get("authorization")).toBe(`Bearer ${BEDROCK_KEY}`);
  });

  test("the SDK reads the fake's refusals as Amazon's errors", async () => {
    await expect(throughSdk(TITAN, { inputText: "" })).rejects.toMatchObject({
      name: "ValidationException",
      $metadata: { httpStatusCode: 400 },
    });
    await expect(throughSdk(TITAN, { inputText: "a" }, { token: "of-somebody-else" })).rejects.toMatchObject({
      name: "AccessDeniedException",
    });
  });

  /** The request for each documented body. */
  const SAME: readonly (readonly [string, string, readonly string[], Partial<EmbedCall>, object])[] = [
    ["Titan 2", TITAN, ["one"], {}, { inputText: "one" }],
    [
      "Titan 2, all it can",
      TITAN,
      ["one"],
      { dimensions: 512, fields: { normalize: false }, types: ["binary"] },
      { inputText: "one", dimensions: 512, normalize: false, embeddingTypes: ["float", "binary"] },
    ],
    ["Titan 1", "amazon.titan-embed-text-v1", ["one"], {}, { inputText: "one" }],
    ["Titan G1", "amazon.titan-embed-g1-text-02", ["one"], {}, { inputText: "one" }],
    [
      "Titan of images, a text",
      "amazon.titan-embed-image-v1",
      ["one"],
      { dimensions: 384 },
      { inputText: "one", embeddingConfig: { outputEmbeddingLength: 384 } },
    ],
    [
      "Cohere 3",
      COHERE,
      ["one", "two"],
      { task: "search_query", fields: { truncate: "START" }, types: ["int8", "ubinary"] },
      {
        texts: ["one", "two"],
        input_type: "search_query",
        truncate: "START",
        embedding_types: ["float", "int8", "ubinary"],
      },
    ],
    [
      "Cohere 3, where nothing is said",
      "cohere.embed-multilingual-v3",
      ["one"],
      {},
      { texts: ["one"], input_type: "search_document", truncate: "NONE" },
    ],
    [
      "Cohere 4",
      COHERE4,
      ["one"],
      { dimensions: 256, fields: { truncate: true }, types: ["uint8", "binary"] },
      {
        texts: ["one"],
        input_type: "search_document",
        truncate: "RIGHT",
        output_dimension: 256,
        embedding_types: ["float", "uint8", "binary"],
      },
    ],
    [
      "Nova",
      NOVA,
      ["one"],
      { dimensions: 1024, task: "search_query", fields: { truncate: "END" } },
      {
        schemaVersion: "nova-multimodal-embed-v1",
        taskType: "SINGLE_EMBEDDING",
        singleEmbeddingParams: {
          embeddingPurpose: "TEXT_RETRIEVAL",
          embeddingDimension: 1024,
          text: { truncationMode: "END", value: "one" },
        },
      },
    ],
  ];
  test.each(SAME)("%s: our request is the SDK's, and is accepted", async (_, model, inputs, call, body) => {
    const ours = await bodyOf(model, inputs, call);
    const { sent } = await throughSdk(model, body);
    const [theirs] = sent;
    expect([ours.method, ours.url]).toEqual([theirs?.method ?? "", theirs?.url ?? ""]);
    expect(JSON.parse(ours.body)).toEqual(JSON.parse(theirs?.body ?? ""));
    expect(ours.headers.get("content-type")).toBe(theirs?.headers.get("content-type") ?? null);
  });
});
