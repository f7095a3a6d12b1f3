/**
 * The bedrock plugin's API: the conformance suite for a model of each family against a fake as strict as Amazon, and Amazon's rules.
 * A refusal seen at Amazon is a row of REFUSED or REFUSALS. credentials.test.ts has signatures and the sources of credentials.
 */
import { describe, expect, test } from "bun:test";
import { conformance } from "../conformance";
import { expectRefused, type Refused } from "../conformance/refusals";
import { callFor, failureOf, openSubject } from "../conformance/subject";
import { BEDROCK_KEY, REGION } from "../vendors/bedrock";
import { COHERE, COHERE4, HOST, NOVA, subject, subjectOf, TITAN } from "./subject";

describe("signed, Cohere's third", () =>
  conformance({
    ...subject,
    addresses: [
      [{}, `${HOST}/model/${COHERE}/invoke`],
      [
        { region: "cn-north-1" },
        `https://bedrock-runtime.cn-north-1.amazonaws.com.cn/model/${COHERE}/invoke`,
      ],
      [{ base_url: `${HOST}/` }, `${HOST}/model/${COHERE}/invoke`],
      [{ base_url: "https://proxy.example/team//" }, `https://proxy.example/team/model/${COHERE}/invoke`],
    ],
  }));
describe("with an API key, Cohere's fourth", () =>
  conformance({
    ...subjectOf(COHERE4),
    options: { region: REGION, api_key: BEDROCK_KEY },
    secrets: [BEDROCK_KEY],
  }));

describe.each([TITAN, "amazon.titan-embed-text-v1", "eu.amazon.titan-embed-image-v1", NOVA])(
  "signed, %s",
  (model) => conformance(subjectOf(model)),
);

describe("Amazon's rules", () => {
  test.each(["", "us.", "eu.", "apac.", "global."])(
    "a model by the region %s is of its family",
    async (region) => {
      const { upstream, network } = openSubject(subjectOf(TITAN));
      await upstream.embed(callFor(subject, ["one"], { model: `${region}${TITAN}` }));
      expect(network.requests[0]?.url).toBe(`${HOST}/model/${region}amazon.titan-embed-text-v2%3A0/invoke`);
      expect(upstream.describe?.(`${region}${TITAN}`)).toMatchObject({ dimensions: 1024, max_inputs: 1 });
    },
  );

  test("a model's name is encoded as part of the path, whatever it contains", async () => {
    const { upstream, network } = openSubject(subject);
    const model = "arn:aws:bedrock:us-east-1:123:x/cohere.embed-v4?a=(1)'#";
    await failureOf(upstream.embed(callFor(subject, ["one"], { model })));
    expect(network.requests[0]?.url).toBe(
      `${HOST}/model/arn%3Aaws%3Abedrock%3Aus-east-1%3A123%3Ax%2Fcohere.embed-v4%3Fa%3D%281%29%27%23/invoke`,
    );
  });

  test("a model of an unknown family is not called", async () => {
    const { upstream, network } = openSubject(subject);
    const failure = await failureOf(upstream.embed(callFor(subject, ["one"], { model: "anthropic.claude" })));
    expect(failure.kind).toBe("not_found");
    expect(network.requests).toEqual([]);
  });

  const LONG = " word".repeat(9000);
  const REFUSED: readonly Refused[] = [
    ["an unknown model of a family", { model: "cohere.embed-v4-next" }, "not_found", undefined],
    ["an empty text", { model: TITAN, inputs: [""] }, "invalid", undefined],
    ["a text of 9,000 tokens", { model: TITAN, inputs: [LONG] }, "input_too_long", 0],
    ["a text of 60,000 characters", { model: TITAN, inputs: ["a".repeat(60_000)] }, "input_too_long", 0],
    ["a text of 2,049 characters", { inputs: ["a", "b".repeat(2049)] }, "input_too_long", 1],
    ["texts of 600 tokens", { inputs: ["a", "b ".repeat(600)] }, "input_too_long", undefined],
    ["97 texts", { inputs: new Array(97).fill("a") }, "too_many_tokens", undefined],
    ["two texts of Titan's", { model: TITAN, inputs: ["a", "b"] }, "too_many_tokens", undefined],
    ["a size that it has not", { model: TITAN, inputs: ["a"], dimensions: 300 }, "invalid", undefined],
    ["`normalize` of another's", { fields: { normalize: true } }, "invalid", undefined],
    ["token ids", { inputs: [Uint32Array.of(1)] }, "invalid", undefined],
    ["an unknown field", { extraBody: { temperature: 1 } }, "invalid", undefined],
    ["a size past the request's", { extraBody: { output_dimension: 256 } }, "invalid", undefined],
    ["types past the request's", { extraBody: { embedding_types: ["int8"] } }, "invalid", undefined],
  ];
  expectRefused(subject, REFUSED);

  const REFUSALS: readonly (readonly [string, number, string, string, string])[] = [
    // docs.aws.amazon.com/bedrock/latest/APIReference/API_runtime_InvokeModel.html
    [
      "a limit",
      429,
      "ThrottlingException",
      "Too many requests, please wait before trying again.",
      "overloaded",
    ],
    ["a quota", 400, "ServiceQuotaExceededException", "Your request exceeds the quota.", "overloaded"],
    ["a model that fails", 424, "ModelErrorException", "The model failed.", "unavailable"],
    ["a model that is slow", 408, "ModelTimeoutException", "The request took too long.", "timeout"],
    ["a model that starts", 429, "ModelNotReadyException", "The model is not ready.", "overloaded"],
    [
      "a model that is not ours",
      403,
      "AccessDeniedException",
      "You don't have access to the model with the specified model ID.",
      "unauthorized",
    ],
    [
      // anthropics/claude-code#1466
      "a model that goes by its profile only",
      400,
      "ValidationException",
      "Invocation of model ID cohere.embed-v4:0 with on-demand throughput isn’t supported. Retry your request with the ID or ARN of an inference profile that contains this model.",
      "not_found",
    ],
  ];
  test.each(REFUSALS)("%s becomes the right kind of error", async (_, status, type, message, kind) => {
    const { upstream, network } = openSubject(subject);
    const headers = { "x-amzn-errortype": `${type}:http://internal.amazon.com/coral/com.amazon.bedrock/` };
    for (const body of [{ message }, { Message: message }]) {
      network.answer(() => Response.json(body, { status, headers }));
      const failure = await failureOf(upstream.embed(callFor(subject, ["one"])));
      expect<string>(failure.kind).toBe(kind);
      expect(failure.message).toBe(`The provider answered ${status}: ${type}: ${message}`);
    }
  });
});
