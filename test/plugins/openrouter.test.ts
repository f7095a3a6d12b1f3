/**
 * The openrouter plugin: the conformance suite against a fake as strict as OpenRouter, with OpenRouter's own SDK as the oracle for both.
 * A refusal seen at OpenRouter is a row of REFUSALS, with its source.
 */
import { describe, expect, test } from "bun:test";
import { OpenRouter } from "@openrouter/sdk";
import { HTTPClient } from "@openrouter/sdk/lib/http.js";
import type { CreateEmbeddingsRequestBody } from "@openrouter/sdk/models/operations";
import openrouter from "../../plugins/openrouter";
import { catalogueFacts } from "../../src/config/catalogue";
import type { EmbedCall } from "../../src/plugin";
import { answerThrough, routeTo } from "../execute/opened";
import { openGateway } from "../gateway";
import { conformance, type Subject } from "./conformance";
import { createNetwork, type Network } from "./conformance/network";
import { expectSame, recording } from "./conformance/oracle";
import { expectTold, type Seen } from "./conformance/refusals";
import { callFor, failureOf, openSubject, subjectsOf } from "./conformance/subject";
import { OPENROUTER_KEY, openrouterVendor } from "./vendors/openrouter";

const MODEL = "openai/text-embedding-3-small";
const vendor = openrouterVendor(MODEL);
const subject: Subject = {
  ...subjectsOf(openrouter, OPENROUTER_KEY, openrouterVendor)(MODEL),
  addresses: [
    [{}, "https://openrouter.ai/api/v1/embeddings"],
    [{ base_url: "https://openrouter.ai/api/v1/" }, "https://openrouter.ai/api/v1/embeddings"],
    [{ base_url: "https://openrouter.ai" }, "https://openrouter.ai/api/v1/embeddings"],
    [{ base_url: "https://proxy.example/team//" }, "https://proxy.example/team/embeddings"],
  ],
};

conformance(subject);

describe("OpenRouter's SDK as the oracle", () => {
  function throughSdk(requestBody: CreateEmbeddingsRequestBody, apiKey = OPENROUTER_KEY) {
    const { sent, fetch } = recording(vendor);
    const client = new OpenRouter({
      apiKey,
      httpReferer: "https://shop.example",
      appTitle: "Shop",
      httpClient: new HTTPClient({ fetcher: fetch }),
      retryConfig: { strategy: "none" },
    });
    return { sent, work: client.embeddings.generate({ requestBody }) };
  }

  test("the SDK is satisfied by the fake", async () => {
    const answer = await throughSdk({ model: MODEL, input: ["one", "two"] }).work;
    if (typeof answer === "string") throw new Error("The SDK read a text.");
    expect(answer.data.map(({ embedding }) => embedding)).toEqual(
      ["one", "two"].map((text) => [...vendor.vectorOf(text)]),
    );
    expect(answer.usage).toMatchObject({ promptTokens: 2, totalTokens: 2, cost: 4e-8 });
  });

  test("the SDK reads the fake's refusals as OpenRouter's errors", async () => {
    const unknown = throughSdk({ model: "openai/text-embedding-9", input: "a" });
    await expect(unknown.work).rejects.toMatchObject({ name: "BadRequestResponseError", statusCode: 400 });
    const wrongKey = throughSdk({ model: MODEL, input: "a" }, "sk-or-v1-of-somebody-else");
    await expect(wrongKey.work).rejects.toMatchObject({
      name: "UnauthorizedResponseError",
      statusCode: 401,
    });
  });

  const order = ["openai", "azure"];
  const SAME: readonly (readonly [
    string,
    Partial<EmbedCall>,
    Omit<CreateEmbeddingsRequestBody, "model" | "encodingFormat">,
  ])[] = [
    ["texts", { inputs: ["one", "two"] }, { input: ["one", "two"] }],
    ["a size", { inputs: ["one"], dimensions: 64 }, { input: ["one"], dimensions: 64 }],
    ["a user", { inputs: ["one"], user: "end-7" }, { input: ["one"], user: "end-7" }],
    ["a task", { inputs: ["one"], task: "search_query" }, { input: ["one"], inputType: "search_query" }],
    [
      "a choice of providers",
      { inputs: ["one"], fields: { provider: { order, allow_fallbacks: false } } },
      { input: ["one"], provider: { order, allowFallbacks: false } },
    ],
    [
      "what extra_body adds",
      { inputs: ["one"], extraBody: { session_id: "s-1" } },
      { input: ["one"], sessionId: "s-1" },
    ],
  ];
  test.each(SAME)("for %s our request is the SDK's", async (_, call, params) => {
    const { upstream, network } = openSubject(subject, { referer: "https://shop.example", title: "Shop" });
    await upstream.embed(callFor(subject, call.inputs ?? [], call));
    const { sent, work } = throughSdk({ model: MODEL, encodingFormat: "float", ...params });
    await work;
    expectSame(network, sent, ["authorization", "content-type", "http-referer", "x-openrouter-title"]);
  });
});

describe("OpenRouter's rules", () => {
  test("pain 14: floats are requested, whatever the route says: base64 gets an empty answer", async () => {
    const { upstream, network } = openSubject(subject);
    const { vectors } = await upstream.embed(callFor(subject, ["one"], { wireEncoding: "base64" }));
    expect(vectors).toEqual([{ index: 0, values: vendor.vectorOf("one") }]);
    network.answer(() => Response.json({ object: "list", model: MODEL, data: [] }));
    const route = routeTo(upstream, MODEL);
    const failure = await failureOf(answerThrough(route, ["one"], openSubject(subject).clock.outside));
    expect(failure.kind).toBe("malformed");
  });

  test("a reply with indices is put into their order", async () => {
    const { upstream, network, clock } = openSubject(subject);
    const entry = (text: string, index: number) => ({
      object: "embedding",
      index,
      embedding: [...vendor.vectorOf(text)],
    });
    const data = [entry("two", 1), entry("one", 0)];
    network.answer(() => Response.json({ object: "list", model: MODEL, data }));
    const { vectors } = await answerThrough(routeTo(upstream, MODEL), ["one", "two"], clock.outside);
    expect(vectors).toEqual([vendor.vectorOf("one"), vendor.vectorOf("two")]);
  });

  const LONG = " word".repeat(9000);
  const REFUSED: readonly (readonly [string, Partial<EmbedCall>, string])[] = [
    ["an unknown model", { model: "openai/text-embedding-9" }, "not_found"],
    ["an empty text", { inputs: [""] }, "invalid"],
    ["a text of 9,000 tokens", { inputs: ["short", LONG] }, "input_too_long"],
    ["a size above the model's", { dimensions: 1537 }, "invalid"],
    ["a field that it does not know", { extraBody: { temperature: 1 } }, "invalid"],
    [
      "more than 300,000 tokens in all",
      { inputs: new Array(60).fill(" word".repeat(6000)) },
      "too_many_tokens",
    ],
  ];
  test.each(REFUSED)("%s is refused", async (_, call, kind) => {
    const { upstream } = openSubject(subject);
    const failure = await failureOf(upstream.embed(callFor(subject, ["one"], call)));
    expect<string>(failure.kind).toBe(kind);
    expect(failure.input).toBe(kind === "input_too_long" ? 1 : undefined);
    // The account's id is beside the error.
    expect(failure.message).not.toContain("user_2vJ");
  });

  const REFUSALS: readonly Seen[] = [
    [
      // Alishahryar1/free-claude-code#772.
      "an account without credits",
      402,
      {
        error: { message: "Insufficient credits. This account never purchased credits.", code: 402 },
        user_id: "user_1",
      },
      "unauthorized",
      "Insufficient credits",
    ],
    [
      // OpenRouterTeam/openrouter-examples#74.
      "an id without its prefix",
      400,
      { error: { message: "text-embedding-3-small is not a valid model ID", code: 400 } },
      "not_found",
      "is not a valid model ID",
    ],
    [
      // openrouter.ai/docs/api-reference/errors: moderation errors name their reasons.
      "a text that moderation flagged",
      403,
      { error: { code: 403, message: "Your input was flagged", metadata: { reasons: ["violence"] } } },
      "invalid",
      "flagged",
    ],
    [
      "a provider behind it that limits it",
      429,
      {
        error: {
          code: 429,
          message: "Provider returned error",
          metadata: { raw: "too many requests", provider_name: "Azure" },
        },
      },
      "overloaded",
      "Provider returned error: too many requests",
    ],
  ];
  expectTold(subject, REFUSALS, ["one"]);
});

describe("through the gateway", () => {
  const YAML = `
space_probe: false
providers:
  openrouter: { plugin: openrouter, api_key: ${OPENROUTER_KEY} }
models:
  openai/text-embedding-3-small: { routes: [ { provider: openrouter } ] }
  openai/text-embedding-ada-002: { routes: [ { provider: openrouter } ] }
  openai/text-embedding-9: { routes: [ { provider: openrouter } ] }
`;
  /** Bodies of the calls for a text, without the gateway's own probes. */
  const sentFor = ({ requests }: Network, text: string): Record<string, unknown>[] =>
    requests.map(({ body }) => JSON.parse(body)).filter(({ input }) => input.includes(text));
  const open = () => openGateway({ yaml: YAML, outside: { fetch: vendor.fetch } });

  test("a model with its prefix is answered under the requested name, and costs what it costs at OpenAI", async () => {
    await using gateway = await open();
    const sent = await gateway.post({ model: MODEL, input: ["one", "two"], dimensions: 8 });
    expect(sent.json).toMatchObject({
      model: MODEL,
      data: [{ index: 0 }, { index: 1 }],
      usage: { prompt_tokens: 2, total_tokens: 2 },
    });
    expect(sent.headers.get("x-embedding-space")).toBe("text-embedding-3-small@8");
    const [line] = await gateway.gateway.ledger.usage(0, "model");
    expect(line?.cost_pico_usd).toBe(40_000n);
    expect(catalogueFacts("openrouter", MODEL)?.price).toBe(0.02);
  });

  test("the caller may choose providers, as a field or in extra_body", async () => {
    const network = createNetwork(vendor.fetch);
    await using gateway = await openGateway({ yaml: YAML, outside: { fetch: network.fetch } });
    const provider = { only: ["azure"], allow_fallbacks: false };
    for (const asked of [{ provider }, { extra_body: { provider } }]) {
      expect((await gateway.post({ model: MODEL, input: "chosen", ...asked })).status).toBe(200);
    }
    expect(sentFor(network, "chosen").map((body) => body.provider)).toEqual([provider, provider]);
    const wrong = await gateway.post({ model: MODEL, input: "a", provider: "azure" });
    expect(wrong.json).toMatchObject({ error: { param: "provider" } });
  });

  test("a task reaches models other than OpenAI's, and is named in a header if it has no effect", async () => {
    const network = createNetwork(vendor.fetch);
    const yaml = `${YAML}  cohere/embed-v5: { routes: [ { provider: openrouter } ] }\n`;
    await using gateway = await openGateway({ yaml, outside: { fetch: network.fetch } });
    const asked = { input: "a task", task_type: "RETRIEVAL_QUERY" };
    const plain = await gateway.post({ model: MODEL, ...asked });
    expect(plain.headers.get("x-embedgate-ignored")).toBe("task_type");
    await gateway.post({ model: "cohere/embed-v5", ...asked });
    expect(sentFor(network, "a task").map((body) => body.input_type)).toEqual([undefined, "search_query"]);
  });

  test("an unknown model is the provider's 404", async () => {
    await using gateway = await open();
    const sent = await gateway.post({ model: "openai/text-embedding-9", input: "a" });
    expect(sent.status).toBe(404);
    expect(sent.json).toMatchObject({ error: { code: "model_not_found" } });
  });

  test("dimensions for ada-002, which OpenRouter would drop silently, are refused", async () => {
    await using gateway = await open();
    const sent = await gateway.post({ model: "openai/text-embedding-ada-002", input: "a", dimensions: 8 });
    expect(sent.json).toMatchObject({ error: { param: "dimensions", code: "unsupported_dimensions" } });
  });
});
