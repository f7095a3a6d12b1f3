/**
 * The cohere plugin: the conformance suite against a fake as strict as Cohere, with Cohere's own SDK as the oracle for both.
 * A refusal seen at Cohere is a row of REFUSALS, with its source; native-gateway.test.ts tests it through the whole gateway.
 */
import { describe, expect, test } from "bun:test";
import { type Cohere, CohereClientV2 } from "cohere-ai";
import cohere from "../../plugins/cohere";
import type { EmbedCall } from "../../src/plugin";
import { conformance, type Subject } from "./conformance";
import { expectSame, recording } from "./conformance/oracle";
import { expectRefused, type Refused } from "./conformance/refusals";
import { callFor, failureOf, openSubject, subjectsOf } from "./conformance/subject";
import { COHERE_KEY, cohereVendor } from "./vendors/cohere";

const V3 = "embed-english-v3.0";
const V4 = "embed-v4.0";
const subjectOf = subjectsOf(cohere, COHERE_KEY, cohereVendor);
const subject: Subject = {
  ...subjectOf(V3),
  addresses: [
    [{}, "https://api.cohere.com/v2/embed"],
    [{ base_url: "https://api.cohere.com/" }, "https://api.cohere.com/v2/embed"],
    [{ base_url: "https://proxy.example/cohere/v2//" }, "https://proxy.example/cohere/v2/embed"],
    [{ base_url: "https://proxy.example/cohere" }, "https://proxy.example/cohere/v2/embed"],
  ],
};

describe(V3, () => conformance(subject));
describe(V4, () => conformance(subjectOf(V4)));

describe("Cohere's SDK as the oracle", () => {
  function throughSdk(request: Omit<Cohere.V2EmbedRequest, "embeddingTypes">, token = COHERE_KEY) {
    const { sent, fetch } = recording(cohereVendor());
    const client = new CohereClientV2({
      token,
      fetch,
      maxRetries: 0,
    });
    // The SDK returns its own kind of promise, which `rejects` does not recognise.
    const work = (async () => await client.embed({ ...request, embeddingTypes: ["float"] }))();
    return { sent, work };
  }

  test("the SDK is satisfied by the fake", async () => {
    const { work } = throughSdk({ model: V3, texts: ["one", "two words"], inputType: "search_document" });
    const { embeddings, meta } = await work;
    expect(embeddings.float).toEqual(
      ["one", "two words"].map((text) => [...cohereVendor(V3).vectorOf(text)]),
    );
    expect(meta?.billedUnits?.inputTokens).toBe(3);
  });

  test("the SDK reads the fake's refusals as Cohere's errors", async () => {
    const unknown = throughSdk({ model: "embed-v9.0", texts: ["a"], inputType: "search_query" });
    await expect(unknown.work).rejects.toMatchObject({ name: "NotFoundError", statusCode: 404 });
    const wrongKey = throughSdk({ model: V3, texts: ["a"], inputType: "search_query" }, "of-somebody-else");
    await expect(wrongKey.work).rejects.toMatchObject({ name: "UnauthorizedError", statusCode: 401 });
    const many = throughSdk({ model: V3, texts: new Array(97).fill("a"), inputType: "search_query" });
    await expect(many.work).rejects.toMatchObject({ name: "BadRequestError", statusCode: 400 });
  });

  const SAME: readonly (readonly [
    string,
    Partial<EmbedCall>,
    Omit<Cohere.V2EmbedRequest, "model" | "embeddingTypes">,
  ])[] = [
    [
      "texts",
      { inputs: ["one", "two"] },
      { texts: ["one", "two"], inputType: "search_document", truncate: "NONE" },
    ],
    [
      "a query",
      { inputs: ["one"], task: "search_query" },
      { texts: ["one"], inputType: "search_query", truncate: "NONE" },
    ],
    [
      "a size",
      { inputs: ["one"], dimensions: 256 },
      { texts: ["one"], inputType: "search_document", truncate: "NONE", outputDimension: 256 },
    ],
    [
      "a text that may be cut",
      { inputs: ["one"], longInput: "truncate" },
      { texts: ["one"], inputType: "search_document", truncate: "END" },
    ],
    [
      "a text whose start may be cut",
      { inputs: ["one"], fields: { truncate: "START" } },
      { texts: ["one"], inputType: "search_document", truncate: "START" },
    ],
    [
      "what else Cohere takes",
      { inputs: ["one"], fields: { max_tokens: 8, priority: 3 } },
      { texts: ["one"], inputType: "search_document", truncate: "NONE", maxTokens: 8, priority: 3 },
    ],
  ];
  test.each(SAME)("for %s our request is the SDK's", async (_, call, request) => {
    const v4 = subjectOf(V4);
    const { upstream, network } = openSubject(v4);
    await upstream.embed(callFor(v4, call.inputs ?? [], call));
    const { sent, work } = throughSdk({ model: V4, ...request });
    await work;
    expectSame(network, sent);
  });
});

describe("Cohere's rules", () => {
  test("without a task in the request, the routing file's task is sent", async () => {
    const { upstream, network } = openSubject(subject, { input_type: "clustering" });
    await upstream.embed(callFor(subject, ["one"]));
    await upstream.embed(callFor(subject, ["one"], { task: "search_query" }));
    const types = network.requests.map(({ body }) => JSON.parse(body).input_type);
    expect(types).toEqual(["clustering", "search_query"]);
  });

  const LONG = "word ".repeat(600).trim();
  test("a text that may be truncated is truncated by Cohere, at the requested end", async () => {
    const { upstream } = openSubject(subject);
    const text = `start ${LONG} end`;
    const words = text.split(" ");
    const cut = async (changed: Partial<EmbedCall>) =>
      (await upstream.embed(callFor(subject, [text], changed))).vectors[0]?.values;
    const vectorOf = cohereVendor(V3).vectorOf;
    expect(await cut({ longInput: "truncate" })).toEqual(vectorOf(words.slice(0, 512).join(" ")));
    expect(await cut({ fields: { truncate: true } })).toEqual(vectorOf(words.slice(0, 512).join(" ")));
    expect(await cut({ fields: { truncate: "left" } })).toEqual(vectorOf(words.slice(-512).join(" ")));
  });

  const REFUSED: readonly Refused[] = [
    ["an unknown model", { model: "embed-v9.0" }, "not_found", undefined],
    ["a text of 600 tokens alone", { inputs: [LONG] }, "input_too_long", 0],
    ["a text of 600 tokens, nobody knows which", { inputs: ["short", LONG] }, "too_many_tokens", undefined],
    ["97 texts", { inputs: new Array(97).fill("a") }, "too_many_tokens", undefined],
    ["an empty text", { inputs: [""] }, "invalid", undefined],
    ["token ids", { inputs: [Uint32Array.of(1, 2)] }, "invalid", undefined],
    ["a size of a model that has one", { dimensions: 256 }, "invalid", undefined],
    ["a task that it does not know", { task: "similarity" }, "invalid", undefined],
    ["a field that it does not know", { extraBody: { temperature: 1 } }, "invalid", undefined],
    ["a size past the request's own field", { extraBody: { output_dimension: 256 } }, "invalid", undefined],
  ];
  expectRefused(subject, REFUSED);

  // cohere-openapi.yaml, the responses of /v2/embed.
  const REFUSALS: readonly (readonly [string, number, unknown, string])[] = [
    ["a deny-listed token", 498, { message: "blocked input: please reformulate" }, "invalid"],
    ["a request that was cancelled on its way", 499, { message: "request cancelled by user" }, "unavailable"],
    ["a status alone", 499, "", "unavailable"],
    ["what does not exist there", 501, { message: "this feature does not exist" }, "invalid"],
    [
      "a trial key's limit",
      429,
      { message: "You are using a Trial key, which is limited to 5 API calls / minute." },
      "overloaded",
    ],
    ["a time that ran out", 504, { message: "timed out" }, "unavailable"],
  ];
  test.each(REFUSALS)("%s becomes the right kind of error", async (_, status, body, kind) => {
    const { upstream, network } = openSubject(subject);
    network.answer(() => (body === "" ? new Response("", { status }) : Response.json(body, { status })));
    const failure = await failureOf(upstream.embed(callFor(subject, ["one"])));
    expect<string>(failure.kind).toBe(kind);
    expect(failure.message).toContain(String(status));
  });

  test("a reply as the specification's example has it is read", async () => {
    // cohere-openapi.yaml, /v2/embed, "Texts": vectors cut to three numbers.
    const { upstream, network } = openSubject(subject);
    const float = [
      [0.016296387, -0.008354187, -0.04699707],
      [0.0070495605, -0.0072669983, 0.019210815],
    ];
    network.answer(() =>
      Response.json({
        id: "5807ee2e-0cda-445a-9ec8-864c60a06606",
        embeddings: { float },
        texts: ["hello", "goodbye"],
        meta: { api_version: { version: "2", is_experimental: true }, billed_units: { input_tokens: 2 } },
      }),
    );
    const { vectors, tokens } = await upstream.embed(callFor(subject, ["hello", "goodbye"]));
    expect(vectors.map(({ values }) => values)).toEqual(float.map((values) => Float32Array.from(values)));
    expect(tokens).toBe(2);
  });
});
