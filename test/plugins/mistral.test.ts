/**
 * The mistral plugin: the conformance suite against a fake as strict as Mistral, with Mistral's own SDK as the oracle for both.
 * A refusal seen at Mistral is a row of REFUSALS, with its source; native-gateway.test.ts tests it through the whole gateway.
 */
import { describe, expect, test } from "bun:test";
import { Mistral } from "@mistralai/mistralai";
import { HTTPClient } from "@mistralai/mistralai/lib/http.js";
import type { EmbeddingRequest } from "@mistralai/mistralai/models/components";
import mistral from "../../plugins/mistral";
import type { EmbedCall } from "../../src/plugin";
import { conformance, type Subject } from "./conformance";
import { expectSame, recording } from "./conformance/oracle";
import { expectRefused, expectTold, type Refused, type Seen } from "./conformance/refusals";
import { callFor, openSubject, subjectsOf } from "./conformance/subject";
import { MISTRAL_KEY, mistralVendor } from "./vendors/mistral";

const MODEL = "mistral-embed";
const CODE = "codestral-embed";
const vendor = mistralVendor(MODEL);
const subjectOf = subjectsOf(mistral, MISTRAL_KEY, mistralVendor);
const subject: Subject = {
  ...subjectOf(MODEL),
  addresses: [
    [{}, "https://api.mistral.ai/v1/embeddings"],
    [{ base_url: "https://api.eu.mistral.ai" }, "https://api.eu.mistral.ai/v1/embeddings"],
    [{ base_url: "https://proxy.example/mistral/v1//" }, "https://proxy.example/mistral/v1/embeddings"],
  ],
};

describe(MODEL, () => conformance(subject));
describe(CODE, () => conformance(subjectOf(CODE)));

describe("Mistral's SDK as the oracle", () => {
  function throughSdk(request: EmbeddingRequest, apiKey = MISTRAL_KEY) {
    const { sent, fetch } = recording(vendor);
    const client = new Mistral({
      apiKey,
      httpClient: new HTTPClient({ fetcher: fetch }),
      retryConfig: { strategy: "none" },
    });
    return { sent, work: client.embeddings.create(request) };
  }

  test("the SDK is satisfied by the fake", async () => {
    const { data, usage } = await throughSdk({ model: MODEL, inputs: ["one", "two words"] }).work;
    expect(data.map(({ embedding }) => embedding)).toEqual(
      ["one", "two words"].map((text) => [...vendor.vectorOf(text)]),
    );
    expect(usage).toMatchObject({ promptTokens: 3, totalTokens: 3 });
  });

  test("the SDK reads the fake's refusals as Mistral's errors", async () => {
    const unknown = throughSdk({ model: "mistral-embed-x", inputs: "a" });
    await expect(unknown.work).rejects.toMatchObject({ statusCode: 400 });
    const wrongKey = throughSdk({ model: MODEL, inputs: "a" }, "of-somebody-else");
    await expect(wrongKey.work).rejects.toMatchObject({ statusCode: 401 });
  });

  const SAME: readonly (readonly [string, Partial<EmbedCall>, Omit<EmbeddingRequest, "model">])[] = [
    ["texts", { inputs: ["one", "two"] }, { inputs: ["one", "two"], encodingFormat: "float" }],
    [
      "a size",
      { inputs: ["one"], dimensions: 256 },
      { inputs: ["one"], encodingFormat: "float", outputDimension: 256 },
    ],
    ["base64", { inputs: ["one"], wireEncoding: "base64" }, { inputs: ["one"], encodingFormat: "base64" }],
    [
      "what extra_body adds",
      { inputs: ["one"], extraBody: { metadata: { team: "search" } } },
      { inputs: ["one"], encodingFormat: "float", metadata: { team: "search" } },
    ],
  ];
  test.each(SAME)("for %s our request is the SDK's", async (_, call, request) => {
    const code = subjectOf(CODE);
    const { upstream, network } = openSubject(code);
    await upstream.embed(callFor(code, call.inputs ?? [], call));
    const { sent, work } = throughSdk({ model: CODE, ...request });
    // The SDK may be unable to read base64 itself: only its request matters.
    await work.catch(() => undefined);
    expectSame(network, sent);
  });
});

describe("Mistral's rules", () => {
  test("nothing is sent that Mistral does not know: neither `dimensions` nor `user`", async () => {
    const code = subjectOf(CODE);
    const { upstream, network } = openSubject(code);
    const { vectors } = await upstream.embed(callFor(code, ["one"], { dimensions: 8, user: "end-7" }));
    expect(vectors[0]?.values).toHaveLength(8);
    expect(Object.keys(JSON.parse(network.requests[0]?.body ?? "")).sort()).toEqual([
      "encoding_format",
      "input",
      "model",
      "output_dimension",
    ]);
  });

  const LONG = "word ".repeat(9000).trim();
  const FULL = "word ".repeat(8000).trim();
  const REFUSED: readonly Refused[] = [
    ["an unknown model", { model: "mistral-embed-x" }, "not_found", undefined],
    ["a text of 9,000 tokens", { inputs: ["short", LONG] }, "input_too_long", 1],
    ["more than 65,536 tokens in all", { inputs: new Array(9).fill(FULL) }, "too_many_tokens", undefined],
    ["257 texts", { inputs: new Array(257).fill("a") }, "too_many_tokens", undefined],
    ["an empty text", { inputs: [""] }, "invalid", undefined],
    ["token ids", { inputs: [Uint32Array.of(1, 2)] }, "invalid", undefined],
    ["a size of a model that has one", { dimensions: 256 }, "invalid", undefined],
    ["a field that it does not know", { extraBody: { user: "end-7" } }, "invalid", undefined],
    ["a size past the request's own field", { extraBody: { output_dimension: 256 } }, "invalid", undefined],
    ["another type than float", { extraBody: { output_dtype: "int8" } }, "invalid", undefined],
  ];
  expectRefused(subject, REFUSED);

  const envelope = (message: unknown, type: string, code: string | null) => ({
    object: "error",
    message,
    type,
    param: null,
    code,
  });
  const REFUSALS: readonly Seen[] = [
    [
      // chroma-core/chroma#5597.
      "too many tokens in all",
      400,
      envelope("Too many tokens overall, split into more batches.", "invalid_request_prompt", "3210"),
      "too_many_tokens",
      "Too many tokens overall",
    ],
    [
      // aurelio-labs/semantic-router#297, in 2024.
      "too many tokens in older words",
      400,
      envelope("Too many tokens in batch. Max is 16384 got 17555", "invalid_request_error", null),
      "too_many_tokens",
      "got 17555",
    ],
    [
      // BerriAI/litellm#3725; the shape by thomas-marquis/mistral-client (api_error_test.go).
      "a field that it does not know",
      422,
      envelope(
        {
          detail: [
            {
              type: "extra_forbidden",
              loc: ["body", "user"],
              msg: "Extra inputs are not permitted",
              input: "end-7",
            },
          ],
        },
        "invalid_request_error",
        null,
      ),
      "invalid",
      "body.user: Extra inputs are not permitted",
    ],
    [
      // HTTPValidationError of its specification.
      "a list of faults without an envelope",
      422,
      { detail: [{ loc: ["body", "input"], msg: "Field required", type: "missing" }] },
      "invalid",
      "body.input: Field required",
    ],
    ["a key that it does not know", 401, { detail: "Unauthorized" }, "unauthorized", "Unauthorized"],
    [
      "a limit on requests",
      429,
      envelope("Requests rate limit exceeded", "rate_limited", "1300"),
      "overloaded",
      "rate limit",
    ],
  ];
  expectTold(subject, REFUSALS);
});
