/**
 * The vertex plugin: the conformance suite against a fake as strict as Vertex AI, with Google's own SDK as the oracle for both.
 * A refusal seen at Google is a row of REFUSALS, with its source; vertex-credentials.test.ts has the sources of tokens.
 */
import { describe, expect, test } from "bun:test";
import { type EmbedContentConfig, GoogleGenAI } from "@google/genai";
import { OAuth2Client } from "google-auth-library";
import vertex from "../../plugins/vertex";
import { callFor, failureOf } from "../../src/conformance/subject";
import type { EmbedCall } from "../../src/plugin";
import { conformance, type Subject } from "./conformance";
import { expectSame, recording } from "./conformance/oracle";
import { openSubject } from "./conformance/subject";
import { PROJECT, VERTEX_TOKEN, vertexVendor } from "./vendors/vertex";

const TEXT = "text-embedding-005";
const OLDER = "gemini-embedding-001";
const NEWER = "gemini-embedding-2";
const resource = (location: string, model: string) =>
  `/v1/projects/${PROJECT}/locations/${location}/publishers/google/models/${model}`;

const subjectOf = (model: string): Subject => ({
  plugin: vertex,
  options: { project: PROJECT, access_token: VERTEX_TOKEN },
  model,
  vendor: vertexVendor(model),
  secrets: [VERTEX_TOKEN],
});
const subject: Subject = {
  ...subjectOf(TEXT),
  addresses: [
    [{}, `https://us-central1-aiplatform.googleapis.com${resource("us-central1", TEXT)}:predict`],
    [{ location: "global" }, `https://aiplatform.googleapis.com${resource("global", TEXT)}:predict`],
    [{ location: "eu" }, `https://aiplatform.eu.rep.googleapis.com${resource("eu", TEXT)}:predict`],
    [
      { base_url: "https://proxy.example/team//" },
      `https://proxy.example/team${resource("us-central1", TEXT)}:predict`,
    ],
    [
      { base_url: "https://proxy.example/v1beta1" },
      `https://proxy.example${resource("us-central1", TEXT).replace("v1", "v1beta1")}:predict`,
    ],
  ],
};

describe(TEXT, () => conformance(subject));
describe(OLDER, () => conformance(subjectOf(OLDER)));
describe(NEWER, () => conformance(subjectOf(NEWER)));

describe("Google's SDK as the oracle", () => {
  async function throughSdk(
    model: string,
    texts: readonly string[],
    config: EmbedContentConfig,
    token = VERTEX_TOKEN,
  ) {
    const { sent, fetch } = recording(vertexVendor(model));
    const authClient = new OAuth2Client();
    authClient.setCredentials({ access_token: token });
    const client = new GoogleGenAI({
      vertexai: true,
      project: PROJECT,
      location: "us-central1",
      apiVersion: "v1",
      googleAuthOptions: { authClient },
      httpOptions: { fetch },
    });
    const contents = texts.map((text) => ({ parts: [{ text }] }));
    const answer = await client.models.embedContent({ model, contents, config });
    return { sent, answer };
  }

  test.each([[TEXT], [OLDER], [NEWER]])("the SDK is satisfied by the fake of %s", async (model) => {
    const texts = model === TEXT ? ["one", "two words"] : ["two words"];
    const { answer } = await throughSdk(model, texts, { autoTruncate: false });
    const { vectorOf } = vertexVendor(model);
    expect(answer.embeddings?.map(({ values }) => values)).toEqual(texts.map((text) => [...vectorOf(text)]));
    expect(answer.embeddings?.at(-1)?.statistics).toMatchObject({ tokenCount: 2 });
  });

  test("the SDK reads the fake's refusals as Google's errors", async () => {
    await expect(throughSdk("text-embedding-9", ["a"], {})).rejects.toMatchObject({
      name: "ApiError",
      status: 404,
    });
    await expect(throughSdk(TEXT, ["a"], {}, "ya29.of-somebody-else")).rejects.toMatchObject({ status: 401 });
    await expect(throughSdk(OLDER, ["a", "b"], {})).rejects.toThrow("1 instance(s) is allowed");
  });

  const SAME: readonly (readonly [string, Partial<EmbedCall>, EmbedContentConfig])[] = [
    ["texts", {}, {}],
    ["a size", { dimensions: 256 }, { outputDimensionality: 256 }],
    ["a task", { task: "RETRIEVAL_QUERY" }, { taskType: "RETRIEVAL_QUERY" }],
    [
      "a title",
      { task: "RETRIEVAL_DOCUMENT", fields: { title: "T" } },
      { taskType: "RETRIEVAL_DOCUMENT", title: "T" },
    ],
  ];
  const MODELS: readonly (readonly [string, readonly string[]])[] = [
    [TEXT, ["one", "two"]],
    [OLDER, ["one"]],
  ];
  for (const [model, texts] of MODELS) {
    test.each(SAME)(
      `asked for %s of ${model}, the plugin sends what the SDK sends`,
      async (_, call, config) => {
        const right = await throughSdk(model, texts, { autoTruncate: false, ...config });
        const { upstream, network } = openSubject(subjectOf(model));
        await upstream.embed(callFor(subjectOf(model), texts, call));
        expect(network.requests).toHaveLength(right.sent.length);
        expectSame(network, right.sent, ["authorization"]);
      },
    );
  }

  test(`of ${NEWER} too, except for its tasks, which it reads in the text only`, async () => {
    const right = await throughSdk(NEWER, ["one"], { autoTruncate: true, outputDimensionality: 256 });
    const { upstream, network } = openSubject(subjectOf(NEWER));
    await upstream.embed(callFor(subjectOf(NEWER), ["one"], { dimensions: 256, longInput: "truncate" }));
    await upstream.embed(callFor(subjectOf(NEWER), ["one"], { task: "RETRIEVAL_QUERY" }));
    const [plain, asked] = network.requests.map(({ body }) => JSON.parse(body));
    expect(plain).toEqual(JSON.parse(right.sent[0]?.body ?? "{}"));
    expect(asked).toEqual({
      content: { parts: [{ text: "task: search result | query: one" }] },
      embedContentConfig: { autoTruncate: false },
    });
  });
});

describe("a text that is too long", () => {
  const long = "word ".repeat(2100);
  test("is refused unless truncation was requested, and truncation is reported", async () => {
    const { upstream } = openSubject(subject);
    const refused = failureOf(upstream.embed(callFor(subject, [long])));
    expect(await refused).toMatchObject({ kind: "input_too_long", input: 0 });
    const one = await upstream.embed(callFor(subject, ["short", long], { longInput: "truncate" }));
    expect([one.truncated, one.tokens]).toEqual([[1], 2049]);
    for (const truncate of [true, "END", "right"]) {
      const { truncated } = await upstream.embed(callFor(subject, [long], { fields: { truncate } }));
      expect(truncated).toEqual([0]);
    }
    const fields = { truncate: "NONE" };
    const again = failureOf(upstream.embed(callFor(subject, [long], { fields, longInput: "truncate" })));
    expect(await again).toMatchObject({ kind: "input_too_long" });
  });

  test(`by ${NEWER} too`, async () => {
    const { upstream } = openSubject(subjectOf(NEWER));
    const text = long.repeat(4);
    const refused = failureOf(upstream.embed(callFor(subjectOf(NEWER), [text])));
    expect(await refused).toMatchObject({ kind: "input_too_long", input: 0 });
    const cut = await upstream.embed(callFor(subjectOf(NEWER), [text], { longInput: "truncate" }));
    expect([cut.truncated, cut.tokens]).toEqual([[0], 8192]);
  });
});

describe("a refusal", () => {
  const REFUSALS: readonly (readonly [string, number, object, object])[] = [
    [
      "of an instance too many: LangStream/langstream#570",
      400,
      {
        code: 400,
        message: "5 instance(s) is allowed per prediction. Actual: 6",
        status: "INVALID_ARGUMENT",
      },
      { kind: "too_many_tokens" },
    ],
    [
      "of texts too long: googleapis/python-genai#2050",
      400,
      {
        code: 400,
        message: "The input token count (25270) exceeds the maximum number of tokens allowed (4000).",
        status: "INVALID_ARGUMENT",
      },
      { kind: "too_many_tokens" },
    ],
    [
      "of a method that the model has not: vercel/ai#15853",
      400,
      { code: 400, message: "Precondition check failed.", status: "FAILED_PRECONDITION" },
      { kind: "unauthorized" },
    ],
    [
      "for want of quota",
      429,
      { code: 429, message: "Resource exhausted. Please try again later.", status: "RESOURCE_EXHAUSTED" },
      { kind: "overloaded" },
    ],
    [
      "with a time to wait",
      429,
      {
        code: 429,
        message: "Quota exceeded for aiplatform.googleapis.com/online_prediction_requests_per_base_model.",
        status: "RESOURCE_EXHAUSTED",
        details: [{ "@type": "type.googleapis.com/google.rpc.RetryInfo", retryDelay: "17.5s" }],
      },
      { kind: "overloaded", retryAfterMs: 17_500 },
    ],
  ];
  test.each(REFUSALS)("%s", async (_, status, error, expected) => {
    const { upstream, network } = openSubject(subject);
    network.answer(() => Response.json({ error }, { status }));
    expect(await failureOf(upstream.embed(callFor(subject, ["a", "b"])))).toMatchObject(expected);
  });

  test("of a project or a model has Google's message", async () => {
    const { upstream } = openSubject(subject, { project: "another" });
    const denied = await failureOf(upstream.embed(callFor(subject, ["a"])));
    expect(denied).toMatchObject({ kind: "unauthorized" });
    expect(denied.message).toContain("Permission 'aiplatform.endpoints.predict' denied");
    const unknown = { ...subject, model: "text-embedding-9" };
    const missing = await failureOf(openSubject(unknown).upstream.embed(callFor(unknown, ["a"])));
    expect(missing).toMatchObject({ kind: "not_found" });
  });

  test.each([
    [TEXT, { parameters: { outputDimensionality: 5 } }, "extra_body.parameters.outputDimensionality"],
    [NEWER, { embedContentConfig: { autoTruncate: true } }, "extra_body.embedContentConfig.autoTruncate"],
  ])("of what extra_body says past the request: %s %j", async (model, extraBody, field) => {
    const { upstream, network } = openSubject(subjectOf(model));
    const failure = failureOf(upstream.embed(callFor(subjectOf(model), ["a"], { extraBody })));
    expect(await failure).toMatchObject({ kind: "invalid", field });
    expect(network.requests).toEqual([]);
  });

  test("of a title without its task, before anything is sent", async () => {
    const { upstream, network } = openSubject(subject);
    const failure = failureOf(upstream.embed(callFor(subject, ["a"], { fields: { title: "T" } })));
    expect(await failure).toMatchObject({ kind: "invalid", field: "title" });
    expect(network.requests).toEqual([]);
  });
});

test("a name may be a router's, or Google's full one; a reply without statistics has no count", async () => {
  for (const model of [`google/${TEXT}`, `publishers/google/models/${TEXT}`, `models/${TEXT}`]) {
    const { upstream, network } = openSubject({ ...subject, model });
    const { tokens } = await upstream.embed(callFor({ ...subject, model }, ["two words"]));
    expect([new URL(network.requests[0]?.url ?? "").pathname, tokens]).toEqual([
      `${resource("us-central1", TEXT)}:predict`,
      2,
    ]);
    network.answer(() => Response.json({ predictions: [{ embeddings: { values: [1] } }] }));
    expect((await upstream.embed(callFor({ ...subject, model }, ["a"]))).tokens).toBeUndefined();
  }
});
