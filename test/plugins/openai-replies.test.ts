/**
 * Replies of servers with OpenAI's API as they were really seen, cut to a few numbers each, with their source.
 * A server that answers differently is a new row; pains have the numbers of the list of known problems.
 */
import { describe, expect, test } from "bun:test";
import openai from "../../plugins/openai";
import type { GatewayError } from "../../src/domain/errors";
import type { EmbedReply } from "../../src/plugin";
import { answerThrough, routeTo } from "../execute/opened";
import { callFor, failureOf, openSubject, type Subject } from "./conformance/subject";
import { base64Of } from "./vendors/openai-wire";

const subject: Subject = {
  plugin: openai,
  options: { base_url: "http://localhost:8000/v1" },
  model: "some-model",
};

async function replyTo(body: unknown, inputs: readonly string[] = ["one", "two"]): Promise<EmbedReply> {
  const { upstream, network } = openSubject(subject);
  network.answer(() => Response.json(body));
  return upstream.embed(callFor(subject, inputs));
}

async function refusalOf(status: number, body: unknown): Promise<GatewayError> {
  const { upstream, network } = openSubject(subject);
  network.answer(() => Response.json(body, { status }));
  return failureOf(upstream.embed(callFor(subject, ["one", "two"])));
}

const ONE = [0.25, -0.5];
const TWO = [1, 0.125];
const right = [
  { index: 0, values: Float32Array.from(ONE) },
  { index: 1, values: Float32Array.from(TWO) },
];
const entries = [
  { object: "embedding", index: 0, embedding: ONE },
  { object: "embedding", index: 1, embedding: TWO },
];

const REPLIES: readonly (readonly [string, unknown, Partial<EmbedReply>])[] = [
  [
    // openai/openai-openapi, CreateEmbeddingResponse.
    "OpenAI",
    {
      object: "list",
      data: entries,
      model: "text-embedding-ada-002-v2",
      usage: { prompt_tokens: 8, total_tokens: 8 },
    },
    { model: "text-embedding-ada-002-v2", tokens: 8 },
  ],
  [
    // OpenRouterTeam/typescript-sdk: `index` and `id` are optional, `usage` has more keys.
    "OpenRouter, which leaves out the index and has more in usage",
    {
      id: "gen-emb-1",
      object: "list",
      data: entries.map(({ object, embedding }) => ({ object, embedding })),
      model: "openai/text-embedding-3-small",
      usage: {
        prompt_tokens: 4,
        total_tokens: 4,
        cost: 8e-8,
        is_byok: false,
        cost_details: { upstream_inference_cost: null },
      },
    },
    { model: "openai/text-embedding-3-small", tokens: 4 },
  ],
  [
    // huggingface/text-embeddings-inference, router/src/http/types.rs: OpenAICompatResponse.
    "TEI",
    {
      object: "list",
      data: entries,
      model: "BAAI/bge-small-en-v1.5",
      usage: { prompt_tokens: 6, total_tokens: 6 },
    },
    { model: "BAAI/bge-small-en-v1.5", tokens: 6 },
  ],
  [
    // vllm/entrypoints/pooling/embed: adds `id`, `created`, `completion_tokens`, `prompt_tokens_details`.
    "vLLM",
    {
      id: "embd-7c1",
      object: "list",
      created: 1760000000,
      model: "some-model",
      data: entries,
      usage: { prompt_tokens: 6, total_tokens: 6, completion_tokens: 0, prompt_tokens_details: null },
    },
    { model: "some-model", tokens: 6 },
  ],
  [
    // togethercomputer/openapi: the response has no `usage`.
    "Together, which counts nothing",
    { object: "list", model: "some-model", data: entries },
    { model: "some-model", tokens: undefined },
  ],
  [
    // ggml-org/llama.cpp, tools/server: format_embeddings_response_oaicompat; #10887 for base64.
    "llama.cpp",
    {
      model: "some-model",
      object: "list",
      usage: { prompt_tokens: 6, total_tokens: 6 },
      data: entries.map(({ index }) => ({
        embedding: base64Of(right[index]?.values ?? new Float32Array()),
        index,
        object: "embedding",
        encoding_format: "base64",
      })),
    },
    { tokens: 6 },
  ],
  [
    "a server that writes null for what it does not know",
    { object: null, model: null, data: entries.map((entry) => ({ ...entry, index: null })), usage: null },
    { model: undefined, tokens: undefined },
  ],
  [
    // docs.voyageai.com/reference/embeddings-api: `usage.total_tokens` only.
    "a server that says the total only",
    { data: entries, usage: { prompt_tokens: null, total_tokens: 9 } },
    { tokens: 9 },
  ],
];

describe("a reply as seen from", () => {
  test.each(REPLIES)("%s", async (_, body, expected) => {
    const reply = await replyTo(body);
    expect(reply.vectors).toEqual(right);
    expect(reply).toMatchObject(expected);
    expect(reply.tokensSource).toBe("provider");
  });
});

const REFUSALS: readonly (readonly [string, number, unknown, string, string])[] = [
  [
    // OpenDataBox/CrackSQL#27.
    "OpenAI's limit of a request",
    400,
    {
      error: {
        message: "Requested 453357 tokens, max 300000 tokens per request",
        type: "max_tokens_per_request",
        param: null,
        code: "max_tokens_per_request",
      },
    },
    "too_many_tokens",
    "Requested 453357 tokens",
  ],
  [
    // vcmf/dim0#143.
    "OpenAI, of one text among others that is too long",
    400,
    { error: { message: "Invalid 'input[1]': maximum input length is 8192 tokens." } },
    "input_too_long",
    "maximum input length",
  ],
  [
    // OpenRouterTeam/typescript-sdk: `code` is the status as an integer, `metadata` beside it.
    "OpenRouter, whose error code is a number",
    429,
    { error: { code: 429, message: "Rate limit exceeded", metadata: { provider_name: "x" } } },
    "overloaded",
    "Rate limit exceeded",
  ],
  [
    "OpenRouter, whose balance is empty",
    402,
    { error: { code: 402, message: "Insufficient credits" } },
    "unauthorized",
    "Insufficient credits",
  ],
  [
    // huggingface/text-embeddings-inference, router/src/http/types.rs: OpenAICompatErrorResponse has no `error` around it.
    "TEI, whose error is flat",
    422,
    {
      message: "Input validation error: `inputs` must have less than 512 tokens. Given: 600",
      code: 422,
      type: "Tokenizer",
    },
    "input_too_long",
    "must have less than 512 tokens",
  ],
  [
    "TEI, when its queue is full",
    429,
    { message: "Model is overloaded", code: 429, type: "Overloaded" },
    "overloaded",
    "Model is overloaded",
  ],
  [
    // vllm/entrypoints/openai/protocol.py before 0.10: ErrorResponse was flat.
    "an older vLLM, whose error is flat too",
    400,
    {
      object: "error",
      message: "This model's maximum context length is 512 tokens. However, you requested 600 tokens.",
      type: "BadRequestError",
      param: null,
      code: 400,
    },
    "input_too_long",
    "maximum context length is 512",
  ],
  [
    // arm/metis#317.
    "llama.cpp, when ids are not its own",
    400,
    { error: { code: 400, message: "Prompt contains invalid tokens", type: "invalid_request_error" } },
    "invalid",
    "Prompt contains invalid tokens",
  ],
  [
    // Recorded by envoyproxy/ai-gateway, tests/internal/testopenai/cassettes.
    "OpenAI, of an unknown model",
    404,
    {
      error: {
        message: "The model `x` does not exist or you do not have access to it.",
        type: "invalid_request_error",
        param: null,
        code: "model_not_found",
      },
    },
    "not_found",
    "The model `x` does not exist",
  ],
];

describe("a refusal as seen from", () => {
  test.each(REFUSALS)("%s", async (_, status, body, kind, words) => {
    const failure = await refusalOf(status, body);
    expect<string>(failure.kind).toBe(kind);
    expect(failure.message).toContain(words);
  });
});

describe("known problems", () => {
  test.each(["float", "base64"] as const)(
    "pain 1: a server asked for %s may answer floats or base64, the vector is the same",
    async (wireEncoding) => {
      const { upstream, network } = openSubject(subject);
      for (const embedding of [ONE, base64Of(Float32Array.from(ONE))]) {
        network.answer(() => Response.json({ data: [{ index: 0, embedding }] }));
        const reply = await upstream.embed(callFor(subject, ["one"], { wireEncoding }));
        expect(reply.vectors).toEqual(right.slice(0, 1));
      }
    },
  );

  test.each([
    ["empty", []],
    ["short", entries.slice(0, 1)],
  ])(
    "pain 14: 200 with %s data is an error of the provider's, tried again, never an answer",
    async (_, data) => {
      const { upstream, network, clock } = openSubject(subject);
      network.answer(() => Response.json({ object: "list", data, model: "some-model" }));
      const route = routeTo(upstream, "some-model", { provider: { retries: 1 } });
      const failure = await failureOf(clock.until(answerThrough(route, ["one", "two"], clock.outside)));
      expect(failure.kind).toBe("malformed");
      expect(network.requests).toHaveLength(2);
    },
  );

  test("pain 15: the encoding is always sent, and is the model's own, whatever a server's default is", async () => {
    const { upstream, network } = openSubject(subject);
    network.answer(() => Response.json({ data: entries.slice(0, 1) }));
    await upstream.embed(callFor(subject, ["one"]));
    await upstream.embed(
      callFor(subject, ["one"], { wireEncoding: "base64", extraBody: { encoding_format: "float" } }),
    );
    const asked = network.requests.map(({ body }) => Object(JSON.parse(body)).encoding_format);
    expect(asked).toEqual(["float", "base64"]);
  });

  test("pain 16: a string where numbers were requested is read as base64", async () => {
    const data = right.map(({ index, values }) => ({ index, embedding: base64Of(values) }));
    expect((await replyTo({ data })).vectors).toEqual(right);
  });

  test("a vector that contains null, a word or nothing at all is refused", async () => {
    for (const embedding of [[null, 1], ["1", 2], [[1]], null, {}, "not base64!", "AAA="]) {
      const failure = await failureOf(replyTo({ data: [{ index: 0, embedding }] }, ["one"]));
      expect(failure.kind).toBe("malformed");
    }
  });
});
