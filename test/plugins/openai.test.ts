/**
 * The openai plugin: the conformance suite against a fake as strict as OpenAI, with OpenAI's own SDK as the oracle for both.
 * openai-replies.test.ts has the replies of other servers with this API.
 */
import { describe, expect, test } from "bun:test";
import OpenAI, { type ClientOptions } from "openai";
import openai from "../../plugins/openai";
import type { EmbedCall } from "../../src/plugin";
import { answerThrough, routeTo } from "../execute/opened";
import { conformance, type Subject } from "./conformance";
import { expectSame, recording } from "./conformance/oracle";
import { callFor, failureOf, openSubject } from "./conformance/subject";
import { OPENAI_KEY, openaiVendor } from "./vendors/openai-wire";

const MODEL = "text-embedding-3-small";
const subject: Subject = {
  plugin: openai,
  options: { api_key: OPENAI_KEY },
  model: MODEL,
  vendor: openaiVendor(MODEL),
  secrets: [OPENAI_KEY],
  addresses: [
    [{}, "https://api.openai.com/v1/embeddings"],
    [{ base_url: "https://api.openai.com/v1/" }, "https://api.openai.com/v1/embeddings"],
    [{ base_url: "https://api.openai.com" }, "https://api.openai.com/v1/embeddings"],
    [{ base_url: "http://localhost:8000/" }, "http://localhost:8000/v1/embeddings"],
    [{ base_url: "https://openrouter.ai/api/v1" }, "https://openrouter.ai/api/v1/embeddings"],
    [{ base_url: "https://proxy.example/team//" }, "https://proxy.example/team/embeddings"],
  ],
};

conformance(subject);

describe("OpenAI's SDK as the oracle", () => {
  const vendor = openaiVendor(MODEL);

  /** What the SDK sends and gets for the same call. */
  function throughSdk(body: OpenAI.EmbeddingCreateParams, options: ClientOptions = {}) {
    const { sent, fetch } = recording(vendor);
    const client = new OpenAI({ apiKey: OPENAI_KEY, maxRetries: 0, ...options, fetch });
    // A plain promise: the SDK's own promise starts only when it is awaited.
    const work = client.embeddings.create(body).then((answer) => answer);
    return { sent, work };
  }

  test("the SDK is satisfied by the fake, base64 and float alike", async () => {
    for (const encoding_format of [undefined, "float", "base64"] as const) {
      const { work } = throughSdk({ model: MODEL, input: ["one", "two"], encoding_format });
      const { data, usage, model } = await work;
      expect(model).toBe(MODEL);
      expect(usage).toEqual({ prompt_tokens: 2, total_tokens: 2 });
      const vectors: Float32Array[] = data.map(({ embedding }) =>
        typeof embedding === "string"
          ? new Float32Array(Uint8Array.fromBase64(embedding).buffer)
          : Float32Array.from(embedding),
      );
      expect(vectors).toEqual([vendor.vectorOf("one"), vendor.vectorOf("two")]);
    }
  });

  test("the SDK reads the fake's refusals as OpenAI's errors", async () => {
    const notFound = throughSdk({ model: "text-embedding-9", input: "a" });
    await expect(notFound.work).rejects.toBeInstanceOf(OpenAI.NotFoundError);
    const wrongKey = throughSdk({ model: MODEL, input: "a" }, { apiKey: "sk-of-somebody-else" });
    await expect(wrongKey.work).rejects.toMatchObject({ status: 401, code: "invalid_api_key" });
    const empty = throughSdk({ model: MODEL, input: "" });
    await expect(empty.work).rejects.toMatchObject({
      status: 400,
      type: "invalid_request_error",
      param: null,
    });
  });

  const SAME: readonly (readonly [
    string,
    Partial<EmbedCall>,
    Omit<OpenAI.EmbeddingCreateParams, "model">,
  ])[] = [
    ["texts", { inputs: ["one", "two"], wireEncoding: "base64" }, { input: ["one", "two"] }],
    ["floats", { inputs: ["one"], wireEncoding: "float" }, { input: ["one"], encoding_format: "float" }],
    [
      "a size",
      { inputs: ["one"], dimensions: 64, wireEncoding: "base64" },
      { input: ["one"], dimensions: 64 },
    ],
    ["a user", { inputs: ["one"], user: "end-7", wireEncoding: "base64" }, { input: ["one"], user: "end-7" }],
    [
      "token ids",
      { inputs: [Uint32Array.of(15339, 1917), Uint32Array.of(9906)], wireEncoding: "base64" },
      { input: [[15339, 1917], [9906]] },
    ],
  ];
  test.each(SAME)("for %s our request is the SDK's", async (_, call, params) => {
    const account = { organization: "org-acme", project: "proj_search" };
    const { upstream, network } = openSubject(subject, account);
    await upstream.embed(callFor(subject, call.inputs ?? [], call));
    const { sent, work } = throughSdk({ model: MODEL, ...params }, account);
    await work;
    expectSame(network, sent, ["authorization", "content-type", "openai-organization", "openai-project"]);
  });
});

describe("OpenAI's rules", () => {
  const vendor = openaiVendor(MODEL);

  test("requested dimensions are returned", async () => {
    const { upstream } = openSubject(subject);
    const reply = await upstream.embed(callFor(subject, ["one"], { dimensions: 8, wireEncoding: "base64" }));
    expect(reply.vectors[0]?.values).toHaveLength(8);
  });

  test("token ids have the vector of their text", async () => {
    const { upstream } = openSubject(subject);
    const reply = await upstream.embed(callFor(subject, [Uint32Array.of(15339, 1917)]));
    expect(reply.vectors[0]?.values).toEqual(vendor.vectorOf("hello world"));
    expect(reply.tokens).toBe(2);
  });

  test("an additional header is sent, and the key's own header cannot be overridden", async () => {
    const { upstream, network } = openSubject(subject, {
      headers: {
        "X-Proxy-Team": "search",
        Authorization: "Basic of-somebody-else",
        "Content-Type": "text/plain",
      },
    });
    await upstream.embed(callFor(subject, ["one"]));
    expect(network.requests[0]?.headers.get("x-proxy-team")).toBe("search");
    expect(network.requests[0]?.headers.get("authorization")).toBe(`Bearer ${OPENAI_KEY}`);
  });

  test("a local server that needs no key is sent none", async () => {
    const { upstream, network } = openSubject({ ...subject, options: {} });
    await failureOf(upstream.embed(callFor(subject, ["one"])));
    expect(network.requests[0]?.headers.has("authorization")).toBe(false);
  });

  const REFUSED: readonly (readonly [string, Partial<EmbedCall>, string])[] = [
    ["an unknown model", { model: "text-embedding-9" }, "not_found"],
    ["an empty text", { inputs: [""] }, "invalid"],
    ["2,049 inputs", { inputs: Array.from({ length: 2049 }, () => "a") }, "invalid"],
    ["a text of 9,000 tokens", { inputs: [" word".repeat(9000)] }, "input_too_long"],
    ["more than 300,000 tokens in all", { inputs: thirtySevenLongIdLists() }, "too_many_tokens"],
    ["a size of zero", { dimensions: 0 }, "invalid"],
    ["a size above the model's", { dimensions: 1537 }, "invalid"],
    ["a size of ada-002", { model: "text-embedding-ada-002", dimensions: 256 }, "invalid"],
    ["a field that it does not know", { extraBody: { input_type: "query" } }, "invalid"],
  ];
  test.each(REFUSED)("%s is refused", async (_, call, kind) => {
    const { upstream } = openSubject(subject);
    const failure = await failureOf(upstream.embed(callFor(subject, ["one"], call)));
    expect<string>(failure.kind).toBe(kind);
  });

  test("a wrong key is the operator's problem, and the vendor's shortened key is not passed on", async () => {
    const { upstream } = openSubject(subject, { api_key: "sk-proj-wrongwrongwrong" });
    const failure = await failureOf(upstream.embed(callFor(subject, ["one"])));
    expect(failure.kind).toBe("unauthorized");
    expect(failure.message).not.toMatch(/sk-proj|rong/);
  });

  test("an empty balance, which OpenAI answers with 429, is not retried", async () => {
    const { upstream, network } = openSubject(subject);
    const error = {
      message: "You exceeded your current quota, please check your plan and billing details.",
      type: "insufficient_quota",
      param: null,
      code: "insufficient_quota",
    };
    network.answer(() => Response.json({ error }, { status: 429 }));
    const failure = await failureOf(upstream.embed(callFor(subject, ["one"])));
    expect(failure.kind).toBe("unauthorized");
    expect(failure.meaning.retry).toBe(false);
  });

  test("pain 9: a request over 300,000 tokens is sent again in halves until each is accepted", async () => {
    const { upstream, network, clock } = openSubject(subject);
    const inputs = thirtySevenLongIdLists();
    const route = routeTo(upstream, MODEL, { facts: { token_ids: "native", wire_encoding: "base64" } });
    const { vectors, tokens } = await answerThrough(route, inputs, clock.outside);
    expect(vectors).toEqual(inputs.map((ids) => vendor.vectorOf(" a".repeat(ids.length))));
    expect(tokens).toBe(37 * 8192 - (37 * 36) / 2);
    // One refused call, then its halves.
    expect(network.requests).toHaveLength(3);
  });

  test("pain 9: with the limit known, nothing is refused in the first place", async () => {
    const { upstream, network, clock } = openSubject(subject);
    const inputs = thirtySevenLongIdLists();
    const facts = { token_ids: "native", wire_encoding: "base64", max_call_tokens: 300_000 } as const;
    const route = routeTo(upstream, MODEL, { facts });
    const { vectors } = await answerThrough(route, inputs, clock.outside);
    expect(vectors).toHaveLength(37);
    expect(network.requests).toHaveLength(2);
  });
});

/** 37 different inputs, each within its own limit, that together exceed a request's limit. */
function thirtySevenLongIdLists(): Uint32Array[] {
  const SPACE_A = 264;
  return Array.from({ length: 37 }, (_, place) => new Uint32Array(8192 - place).fill(SPACE_A));
}
