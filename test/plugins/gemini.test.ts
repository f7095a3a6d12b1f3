/**
 * The gemini plugin: the conformance suite against a fake as strict as Google, with Google's own SDK as the oracle for both.
 * A refusal seen at Google is a row of REFUSALS, with its source; gemini-gateway.test.ts tests it through the whole gateway.
 */
import { describe, expect, test } from "bun:test";
import { type EmbedContentConfig, GoogleGenAI } from "@google/genai";
import gemini from "../../plugins/gemini";
import type { EmbedCall } from "../../src/plugin";
import { conformance, type Subject } from "./conformance";
import { expectSame, recording } from "./conformance/oracle";
import { callFor, failureOf, openSubject, subjectsOf } from "./conformance/subject";
import { GEMINI_KEY, geminiVendor } from "./vendors/gemini";

const HOST = "https://generativelanguage.googleapis.com";
const subjectOf = subjectsOf(gemini, GEMINI_KEY, geminiVendor);
const OLDER = "gemini-embedding-001";
const NEWER = "gemini-embedding-2";
const subject: Subject = {
  ...subjectOf(OLDER),
  addresses: [
    [{}, `${HOST}/v1beta/models/${OLDER}:embedContent`],
    [{ base_url: HOST }, `${HOST}/v1beta/models/${OLDER}:embedContent`],
    [{ base_url: `${HOST}/v1/` }, `${HOST}/v1/models/${OLDER}:embedContent`],
    [
      { base_url: "https://proxy.example/team//" },
      `https://proxy.example/team/v1beta/models/${OLDER}:embedContent`,
    ],
  ],
};

describe(OLDER, () => conformance(subject));
describe(NEWER, () => conformance(subjectOf(NEWER)));

describe("Google's SDK as the oracle", () => {
  const vendor = geminiVendor(OLDER);

  /** Contents, not texts: for `gemini-embedding-2` the SDK turns several texts into one fused content. */
  async function throughSdk(
    texts: readonly string[],
    config: EmbedContentConfig,
    model = OLDER,
    apiKey = GEMINI_KEY,
  ) {
    const { sent, fetch } = recording(geminiVendor(model));
    const client = new GoogleGenAI({ apiKey, httpOptions: { apiVersion: "v1beta", fetch } });
    const contents = texts.map((text) => ({ parts: [{ text }] }));
    const answer = await client.models.embedContent({ model, contents, config });
    return { sent, answer };
  }

  test("the SDK is satisfied by the fake", async () => {
    const { answer } = await throughSdk(["one", "two"], {});
    expect(answer.embeddings?.map(({ values }) => values)).toEqual(
      ["one", "two"].map((text) => [...vendor.vectorOf(text)]),
    );
    expect(answer.usageMetadata).toBeUndefined();
    const newer = await throughSdk(["one", "two words"], {}, NEWER);
    expect(newer.answer.usageMetadata).toMatchObject({ promptTokenCount: 3 });
  });

  test("the SDK reads the fake's refusals as Google's errors", async () => {
    await expect(throughSdk(["a"], {}, "gemini-embedding-9")).rejects.toMatchObject({
      name: "ApiError",
      status: 404,
    });
    await expect(throughSdk(["a"], {}, OLDER, "AIzaSyOfSomebodyElse")).rejects.toMatchObject({ status: 400 });
    await expect(throughSdk(new Array(101).fill("a"), {})).rejects.toThrow("at most 100 requests");
  });

  const SAME: readonly (readonly [string, Partial<EmbedCall>, EmbedContentConfig])[] = [
    ["texts", {}, {}],
    ["a size", { dimensions: 768 }, { outputDimensionality: 768 }],
    ["a task", { task: "RETRIEVAL_QUERY" }, { taskType: "RETRIEVAL_QUERY" }],
    [
      "a title",
      { task: "RETRIEVAL_DOCUMENT", fields: { title: "T" } },
      { taskType: "RETRIEVAL_DOCUMENT", title: "T" },
    ],
  ];
  describe.each([OLDER, NEWER])("of %s", (model) => {
    test.each(model === OLDER ? SAME : SAME.slice(0, 2))(
      "for %s our request is the SDK's",
      async (_, call, config) => {
        const inputs = ["one", "two"];
        const { upstream, network } = openSubject(subjectOf(model));
        await upstream.embed(callFor(subject, inputs, { ...call, model }));
        const { sent } = await throughSdk(inputs, config, model);
        expectSame(network, sent, ["x-goog-api-key", "content-type"]);
      },
    );

    test("for one text our request equals the SDK's single entry, with the method for one", async () => {
      const { upstream, network } = openSubject(subjectOf(model));
      await upstream.embed(callFor(subject, ["one"], { model, dimensions: 256 }));
      const { sent } = await throughSdk(["one"], { outputDimensionality: 256 }, model);
      const [theirs] = sent;
      expect(network.requests[0]?.url).toBe(
        theirs?.url.replace(":batchEmbedContents", ":embedContent") ?? "",
      );
      const { requests } = JSON.parse(theirs?.body ?? "{}");
      expect(requests).toEqual([JSON.parse(network.requests[0]?.body ?? "")]);
    });
  });
});

describe("Google's rules", () => {
  test.each([`models/${OLDER}`, `google/${OLDER}`])("%s is written in Google's form", async (model) => {
    const { upstream, network } = openSubject(subject);
    await upstream.embed(callFor(subject, ["one"], { model }));
    expect(network.requests[0]?.url).toBe(`${HOST}/v1beta/models/${OLDER}:embedContent`);
    expect(JSON.parse(network.requests[0]?.body ?? "").model).toBe(`models/${OLDER}`);
  });

  test("a model's name is encoded as part of the path, whatever it contains", async () => {
    const { upstream, network } = openSubject(subject);
    await failureOf(upstream.embed(callFor(subject, ["one"], { model: "../x:generateContent?key=1#" })));
    expect(network.requests[0]?.url).toBe(
      `${HOST}/v1beta/models/..%2Fx%3AgenerateContent%3Fkey%3D1%23:embedContent`,
    );
  });

  test("pain 6: several texts are one entry each, never several parts of one content", async () => {
    const { upstream, network } = openSubject(subject);
    const { vectors } = await upstream.embed(callFor(subject, ["one", "two", "three"]));
    expect(vectors).toHaveLength(3);
    const { requests } = JSON.parse(network.requests[0]?.body ?? "");
    expect(requests.map(({ content }: { content: unknown }) => content)).toEqual(
      ["one", "two", "three"].map((text) => ({ parts: [{ text }] })),
    );
  });

  test("what extra_body adds is added to each entry", async () => {
    const { upstream, network } = openSubject(subject);
    network.answer(() => Response.json({ embeddings: [{ values: [1] }, { values: [1] }] }));
    await upstream.embed(
      callFor(subject, ["one", "two"], { extraBody: { autoTruncate: false, requests: [] } }),
    );
    expect(JSON.parse(network.requests[0]?.body ?? "").requests).toMatchObject([
      { autoTruncate: false, content: { parts: [{ text: "one" }] } },
      { autoTruncate: false, content: { parts: [{ text: "two" }] } },
    ]);
  });

  test.each([
    ["output_dimensionality", "dimensions"],
    ["outputDimensionality", "dimensions"],
    ["taskType", "task_type"],
    ["title", "title"],
    ["embedContentConfig", "dimensions"],
  ])("extra_body.%s is refused: the field is %s", async (name, field) => {
    const { upstream, network } = openSubject(subject);
    const failure = await failureOf(upstream.embed(callFor(subject, ["one"], { extraBody: { [name]: 5 } })));
    expect([failure.kind, failure.field]).toEqual(["invalid", `extra_body.${name}`]);
    expect(failure.message).toContain(`'${field}'`);
    expect(network.requests).toEqual([]);
  });

  test.each([undefined, "RETRIEVAL_QUERY"])(
    "a title with the task %p is refused before anything is sent",
    async (task) => {
      const { upstream, network } = openSubject(subject);
      const failure = await failureOf(
        upstream.embed(callFor(subject, ["one"], { task, fields: { title: "T" } })),
      );
      expect([failure.kind, failure.field]).toEqual(["invalid", "title"]);
      expect(network.requests).toEqual([]);
    },
  );

  const REFUSED: readonly (readonly [string, Partial<EmbedCall>, string, number | null])[] = [
    ["an unknown model", { model: "gemini-embedding-9" }, "not_found", null],
    ["a model that was shut down", { model: "text-embedding-004" }, "not_found", null],
    ["an empty text among others", { inputs: ["a", "", "b"] }, "invalid", 1],
    ["101 texts", { inputs: new Array(101).fill("a") }, "too_many_tokens", null],
    ["more than 4 MiB", { inputs: ["a".repeat(4_194_304)] }, "too_many_tokens", null],
    ["a text of 3,000 tokens", { inputs: ["word ".repeat(3000)] }, "input_too_long", null],
    ["a size above the model's", { dimensions: 3073 }, "invalid", null],
    ["a field that it does not know", { extraBody: { encoding_format: "float" } }, "invalid", null],
    ["token ids", { inputs: [Uint32Array.of(1, 2)] }, "invalid", null],
  ];
  test.each(REFUSED)("%s is refused", async (_, call, kind, place) => {
    const { upstream } = openSubject(subject);
    const failure = await failureOf(upstream.embed(callFor(subject, ["one"], call)));
    expect<string>(failure.kind).toBe(kind);
    expect(failure.input ?? null).toBe(place);
  });

  test("a wrong key, which Google answers with 400, is the operator's problem", async () => {
    const { upstream } = openSubject(subject, { api_key: "AIzaSyWrongWrongWrong" });
    const failure = await failureOf(upstream.embed(callFor(subject, ["one"])));
    expect(failure.kind).toBe("unauthorized");
    expect(failure.message).toContain("API key not valid");
  });

  const REFUSALS: readonly (readonly [string, number, object, string, number | undefined])[] = [
    [
      // poenl/gemini-api#4.
      "a country where it is not offered",
      400,
      { message: "User location is not supported for the API use.", status: "FAILED_PRECONDITION" },
      "unauthorized",
      undefined,
    ],
    [
      // google-gemini/gemini-cli#8437.
      "a limit that says when to come back",
      429,
      {
        message: "You exceeded your current quota, please check your plan and billing details.",
        status: "RESOURCE_EXHAUSTED",
        details: [
          { "@type": "type.googleapis.com/google.rpc.QuotaFailure", violations: [] },
          { "@type": "type.googleapis.com/google.rpc.RetryInfo", retryDelay: "17.5s" },
        ],
      },
      "overloaded",
      17_500,
    ],
    [
      // google-gemini/gemini-cli#14811.
      "a limit that does not",
      429,
      { message: "Resource has been exhausted (e.g. check quota).", status: "RESOURCE_EXHAUSTED" },
      "overloaded",
      undefined,
    ],
    [
      "trouble of its own",
      503,
      { message: "The model is overloaded.", status: "UNAVAILABLE" },
      "unavailable",
      undefined,
    ],
  ];
  test.each(REFUSALS)("%s becomes the right kind of error", async (_, code, error, kind, retryAfterMs) => {
    const { upstream, network } = openSubject(subject);
    network.answer(() => Response.json({ error: { code, ...error } }, { status: code }));
    const failure = await failureOf(upstream.embed(callFor(subject, ["one"])));
    expect<string>(failure.kind).toBe(kind);
    expect(failure.retryAfterMs).toBe(retryAfterMs);
  });
});

describe("tasks of gemini-embedding-2, which are written in the text", () => {
  const PROMPTED: readonly (readonly [string | undefined, string | undefined, string])[] = [
    [undefined, undefined, "a text"],
    ["RETRIEVAL_QUERY", undefined, "task: search result | query: a text"],
    ["RETRIEVAL_DOCUMENT", undefined, "title: none | text: a text"],
    ["RETRIEVAL_DOCUMENT", "T", "title: T | text: a text"],
    ["SEMANTIC_SIMILARITY", undefined, "task: sentence similarity | query: a text"],
    ["CLASSIFICATION", undefined, "task: classification | query: a text"],
    ["CLUSTERING", undefined, "task: clustering | query: a text"],
    ["QUESTION_ANSWERING", undefined, "task: question answering | query: a text"],
    ["FACT_VERIFICATION", undefined, "task: fact checking | query: a text"],
    ["CODE_RETRIEVAL_QUERY", undefined, "task: code retrieval | query: a text"],
  ];
  test.each(PROMPTED)("%s, %s: %s", async (task, title, text) => {
    const newer = subjectOf(NEWER);
    const { upstream, network } = openSubject(newer);
    const fields = title === undefined ? {} : { title };
    const { vectors } = await upstream.embed(callFor(newer, ["a text"], { task, fields }));
    expect(vectors).toEqual([{ index: 0, values: geminiVendor(NEWER).vectorOf(text) }]);
    expect(JSON.parse(network.requests[0]?.body ?? "")).toEqual({
      model: `models/${NEWER}`,
      content: { parts: [{ text }] },
    });
  });
});
