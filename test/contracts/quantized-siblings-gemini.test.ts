/**
 * Q8 for Google's API, in the `quantized` dialect: its requests and answers, and the same keys, credits, ledger and
 * checks as /v1/embeddings. A request shape that Google accepts is a row of SHAPES; a refused one is a row of REFUSALS.
 */
import { afterAll, beforeAll, describe, expect, test } from "bun:test";
import { askAt } from "./sibling";
import { answerOf, openSpeaking, refusalOf, type Speaking } from "./speaking";

const OLDER = "gemini-embedding-001";
const NEWER = "gemini-embedding-2";
const PATH = "/v1/gemini/embeddings";

let open: Speaking;
beforeAll(async () => {
  open = await openSpeaking({ server: "dialect: quantized" });
});
afterAll(() => open[Symbol.asyncDispose]());

const ask = (body: unknown, path = PATH) => askAt(open, path, body);

/** What Google was sent for a request. */
async function sentFor(body: unknown, path = PATH) {
  open.calls.length = 0;
  const sent = await ask(body, path);
  return { sent, bodies: open.calls.map((call) => call.body) };
}

const content = (text: string) => ({ parts: [{ text }] });
const entry = (text: string, more: object = {}) => ({
  model: `models/${OLDER}`,
  content: content(text),
  ...more,
});

/** The vector of /v1/embeddings. */
async function usual(input: string, more: object = {}) {
  const [only] = answerOf(await open.ask({ model: OLDER, input, ...more })).data;
  return [only?.embedding ?? []].flat().map(Number);
}

describe("Q8 `input`, answered like /v1/embeddings", () => {
  test("one text or several, in order, with usage", async () => {
    expect(answerOf(await ask({ model: OLDER, input: "alone" }))).toMatchObject({
      model: OLDER,
      data: [{ index: 0, embedding: await usual("alone") }],
    });
    const { data, usage } = answerOf(await ask({ model: OLDER, input: ["one", "two"] }));
    expect(data.map(({ embedding }) => embedding)).toEqual([await usual("one"), await usual("two")]);
    expect(Object.keys(usage).sort()).toEqual([
      "credits_remaining",
      "credits_used",
      "prompt_tokens",
      "total_tokens",
    ]);
  });

  test.each([
    ["task_type", "output_dimensionality"],
    ["taskType", "outputDimensionality"],
  ])("%s, %s and title reach Google; it is asked once or in a batch by itself", async (task, size) => {
    const settings = { [task]: "RETRIEVAL_DOCUMENT", [size]: 768, title: `T ${task}` };
    const googles = { taskType: "RETRIEVAL_DOCUMENT", outputDimensionality: 768, title: `T ${task}` };
    const one = await sentFor({ model: OLDER, input: "a text", ...settings });
    expect(answerOf(one.sent).data[0]?.embedding).toHaveLength(768);
    expect(one.bodies).toEqual([entry("a text", googles)]);
    const two = await sentFor({ model: OLDER, input: ["b", "c"], ...settings });
    expect(two.bodies).toEqual([{ requests: [entry("b", googles), entry("c", googles)] }]);
  });

  test.each([[96], [97], [100], [101], [2048]])("%d inputs each have their own vector", async (count) => {
    const input = Array.from({ length: count }, (_, place) => `text ${place} of ${count}`);
    const { sent, bodies } = await sentFor({ model: OLDER, input, output_dimensionality: 128 });
    const { data } = answerOf(sent);
    expect(data).toHaveLength(count);
    expect(bodies).toHaveLength(Math.ceil(count / 100));
    const last = input.at(-1) ?? "";
    expect(data.at(-1)?.embedding).toEqual(await usual(last, { dimensions: 128 }));
  });

  test("any model may be requested", async () => {
    const { data } = answerOf(
      await ask({ model: "text-embedding-3-small", input: "a", output_dimensionality: 256 }),
    );
    expect(data[0]?.embedding).toHaveLength(256);
  });
});

interface Shape {
  readonly body: object;
  readonly texts: readonly string[];
  readonly single?: true;
}

const SHAPES: readonly (readonly [string, Shape])[] = [
  ["content", { body: { model: OLDER, content: content("a") }, texts: ["a"], single: true }],
  [
    "content with a role",
    { body: { model: OLDER, content: { role: "user", ...content("a") } }, texts: ["a"], single: true },
  ],
  [
    "a model with Google's prefix",
    { body: { model: `models/${OLDER}`, content: content("a") }, texts: ["a"], single: true },
  ],
  ["requests", { body: { model: OLDER, requests: [entry("a"), entry("b")] }, texts: ["a", "b"] }],
  ["one of requests", { body: { model: OLDER, requests: [entry("a")] }, texts: ["a"] }],
  [
    "a model in requests only",
    { body: { requests: [entry("a"), { content: content("b") }] }, texts: ["a", "b"] },
  ],
  ["contents as a text", { body: { model: OLDER, contents: "a" }, texts: ["a"] }],
  ["contents as texts", { body: { model: OLDER, contents: ["a", "b"] }, texts: ["a", "b"] }],
  ["contents as a content", { body: { model: OLDER, contents: content("a") }, texts: ["a"] }],
  [
    "contents as contents and parts",
    { body: { model: OLDER, contents: [content("a"), { text: "b" }] }, texts: ["a", "b"] },
  ],
  [
    "null for what is unset",
    {
      body: { model: OLDER, content: content("a"), title: null, taskType: null, user: null },
      texts: ["a"],
      single: true,
    },
  ],
];

describe("Q8 Google's own request, answered in Google's shape", () => {
  test.each(SHAPES)("%s", async (_, { body, texts, single }) => {
    const sent = await ask(body);
    const embeddings = await Promise.all(texts.map(async (text) => ({ values: await usual(text) })));
    const tokens = texts.length;
    expect([sent.status, sent.json]).toEqual([
      200,
      {
        ...(single ? { embedding: embeddings[0] } : { embeddings }),
        usage: {
          prompt_tokens: tokens,
          total_tokens: tokens,
          credits_used: expect.any(Number),
          credits_remaining: null,
        },
        usageMetadata: { promptTokenCount: tokens },
      },
    ]);
  });

  test.each<[string, object, object]>([
    [
      "beside the content",
      { content: content("s"), taskType: "CLUSTERING", outputDimensionality: 256 },
      { taskType: "CLUSTERING", outputDimensionality: 256 },
    ],
    [
      "in snake_case",
      { content: content("s"), task_type: "CLASSIFICATION", output_dimensionality: 256 },
      { taskType: "CLASSIFICATION", outputDimensionality: 256 },
    ],
    [
      "in a config",
      { content: content("s"), embedContentConfig: { taskType: "RETRIEVAL_DOCUMENT", title: "T" } },
      { taskType: "RETRIEVAL_DOCUMENT", title: "T" },
    ],
    [
      "as Google's SDKs take them",
      { contents: ["s"], config: { taskType: "QUESTION_ANSWERING" } },
      { taskType: "QUESTION_ANSWERING" },
    ],
    [
      "in an entry",
      { requests: [entry("s", { taskType: "FACT_VERIFICATION", output_dimensionality: 300 })] },
      { taskType: "FACT_VERIFICATION", outputDimensionality: 300 },
    ],
    ["without effect", { content: content("s u"), taskType: "TASK_TYPE_UNSPECIFIED" }, {}],
  ])("settings %s are Google's", async (_, body, settings) => {
    const { sent, bodies } = await sentFor({ model: OLDER, ...body });
    expect(sent.status).toBe(200);
    expect(bodies).toEqual([entry(JSON.stringify(body).includes("s u") ? "s u" : "s", settings)]);
  });

  test("a text that is too long is refused and named by its own field, or truncated if the request says so", async () => {
    const long = "word ".repeat(12_000);
    const refused = await ask({
      model: NEWER,
      requests: [{ content: content("short") }, { content: content(long) }],
    });
    expect(refusalOf(refused)).toMatchObject({
      status: 422,
      code: "context_length_exceeded",
      param: "requests[1].content.parts[0].text",
    });
    const { sent } = await sentFor({
      model: NEWER,
      contents: ["short", long],
      config: { autoTruncate: true },
    });
    expect([sent.status, sent.headers.get("x-embedgate-truncated")]).toEqual([200, "1"]);
  });
});

describe("Q8 what is refused", () => {
  const two = (first: object, second: object) => ({
    model: OLDER,
    requests: [entry("a", first), entry("b", second)],
  });
  const REFUSALS: readonly (readonly [string, unknown, string | null])[] = [
    ["nothing to embed", { model: OLDER }, "input"],
    ["no model", { content: content("a") }, "model"],
    ["a number as model", { model: 7, content: content("a") }, "model"],
    ["two things to embed", { model: OLDER, input: "a", content: content("b") }, "content"],
    ["an empty list", { model: OLDER, requests: [] }, "requests"],
    ["no parts", { model: OLDER, content: { parts: [] } }, "content.parts"],
    [
      "two parts, which Google would fuse",
      { model: OLDER, content: { parts: [{ text: "a" }, { text: "b" }] } },
      "content.parts[1]",
    ],
    [
      "two parts in an entry",
      { model: OLDER, requests: [entry("a"), { content: { parts: [{ text: "a" }, { text: "b" }] } }] },
      "requests[1].content.parts[1]",
    ],
    [
      "an image",
      { model: OLDER, content: { parts: [{ inlineData: { mimeType: "image/png", data: "" } }] } },
      "content.parts[0].text",
    ],
    [
      "an image beside a text",
      { model: OLDER, content: { parts: [{ text: "a", inlineData: {} }] } },
      "content.parts[0].inlineData",
    ],
    ["half a character", { model: OLDER, contents: ["a", "\ud800"] }, "contents[1]"],
    ["another model in an entry", two({}, { model: "models/other" }), "requests[1].model"],
    ["another task in an entry", two({ taskType: "CLUSTERING" }, {}), "requests[1].task_type"],
    ["another size in an entry", two({}, { outputDimensionality: 128 }), "requests[1].outputDimensionality"],
    [
      "a task said twice",
      { model: OLDER, input: "a", task_type: "CLUSTERING", taskType: "RETRIEVAL_QUERY" },
      "taskType",
    ],
    [
      "a size said twice",
      { model: OLDER, input: "a", outputDimensionality: 256, dimensions: 128 },
      "outputDimensionality",
    ],
    ["a task that is none", { model: OLDER, content: content("a"), taskType: "NONSENSE" }, "taskType"],
    [
      "a size that there is not",
      { model: OLDER, content: content("a"), outputDimensionality: 4000 },
      "outputDimensionality",
    ],
    ["no size", { model: OLDER, input: "a", output_dimensionality: 0 }, "output_dimensionality"],
    ["a title without its task", { model: OLDER, content: content("a"), title: "T" }, "title"],
    [
      "a task of no effect",
      { model: "text-embedding-3-small", input: "a", taskType: "CLUSTERING" },
      "taskType",
    ],
    ["base64", { model: OLDER, content: content("a"), encoding_format: "base64" }, "encoding_format"],
    ["an unknown field", { model: OLDER, content: content("a"), nonsense: 1 }, "nonsense"],
    [
      "an unknown field of an entry",
      { model: OLDER, requests: [entry("a", { nonsense: 1 })] },
      "requests[0].nonsense",
    ],
    ["an array", [], null],
    ["no JSON", "{", null],
  ];
  test.each(REFUSALS)("%s", async (_, body, param) => {
    const { sent, bodies } = await sentFor(body);
    expect(refusalOf(sent)).toMatchObject({ status: 422, type: "invalid_request_error", param });
    expect(bodies).toEqual([]);
    expect(open.rows().at(-1)).toMatchObject({ status: 422 });
  });

  test("2049 entries, and another method", async () => {
    const requests = Array.from({ length: 2049 }, () => entry("a"));
    expect(refusalOf(await ask({ model: OLDER, requests }))).toMatchObject({
      status: 422,
      param: "requests",
    });
    expect(refusalOf(await open.get(PATH))).toMatchObject({ status: 405 });
  });

  test("in another dialect errors are that dialect's, and ignored fields are named in a header", async () => {
    await using other = await openSpeaking({ server: "dialect: openai" });
    const nothing = await askAt(other, PATH, { model: OLDER });
    expect(refusalOf(nothing)).toMatchObject({ status: 400, param: "input" });
    const empty = await askAt(other, PATH, { model: OLDER, requests: [entry("a"), entry("")] });
    expect(refusalOf(empty)).toMatchObject({ status: 400, param: "requests[1].content.parts[0].text" });
    const base64 = await askAt(other, PATH, {
      model: OLDER,
      content: content("a"),
      encoding_format: "base64",
    });
    expect(refusalOf(base64)).toMatchObject({ status: 400, param: "encoding_format" });
    const told = await askAt(other, PATH, {
      model: "text-embedding-3-small",
      input: "a",
      task_type: "CLUSTERING",
    });
    expect([told.status, told.headers.get("x-embedgate-ignored")]).toEqual([200, "task_type"]);
    expect(answerOf(told).usage).toEqual({ prompt_tokens: 1, total_tokens: 1 });
  });
});

describe("Q8 the same keys, credits, limits, ledger, cache and vector checks as /v1/embeddings", () => {
  test("a key is needed, as a Bearer token or in Google's header", async () => {
    const body = { model: OLDER, content: content("a") };
    expect(refusalOf(await askAt(open, PATH, body, {})).status).toBe(401);
    expect(refusalOf(await askAt(open, PATH, body, { "x-goog-api-key": "wrong" })).status).toBe(401);
    expect((await askAt(open, PATH, body, { "x-goog-api-key": open.key })).status).toBe(200);
  });

  test("a request has its row in the ledger, and costs what it costs there", async () => {
    await using counted = await openSpeaking({ server: "dialect: quantized", credits: 100n });
    const sent = await askAt(counted, PATH, {
      model: "fake",
      requests: [{ content: content("one two") }, { content: content("three") }],
    });
    expect(sent.json).toMatchObject({ usage: { prompt_tokens: 3, credits_used: 10, credits_remaining: 90 } });
    expect(counted.rows().at(-1)).toMatchObject({ model: "fake", inputs: 2, tokens: 3, status: 200 });
    const much = await askAt(counted, PATH, { model: "fake", contents: "many words ".repeat(50) });
    expect(refusalOf(much)).toMatchObject({ status: 402, code: "insufficient_credit" });
  });

  test("a text that either path has embedded needs no call on the other", async () => {
    await using keeping = await openSpeaking({
      server: "dialect: quantized",
      more: "cache: { memory_mb: 8 }",
    });
    await askAt(keeping, PATH, { model: OLDER, content: content("kept"), task_type: "CLUSTERING" });
    keeping.calls.length = 0;
    const body = { model: OLDER, input: "kept", taskType: "CLUSTERING" };
    const again = await askAt(keeping, PATH, body);
    expect([again.headers.get("x-embedgate-cache"), keeping.calls]).toEqual(["hit=1, miss=0", []]);
    await askAt(keeping, PATH, { ...body, taskType: "CLASSIFICATION" });
    expect(keeping.calls).toHaveLength(1);
    await keeping.ask({ model: OLDER, input: "other" });
    const sent = await askAt(keeping, PATH, { model: OLDER, content: content("other") });
    expect([sent.headers.get("x-embedgate-cache"), keeping.calls.length]).toEqual(["hit=1, miss=0", 2]);
  });

  test("an invalid vector is never answered", async () => {
    const sent = await ask({ model: "fake-nan", content: content("a") });
    expect([sent.status, refusalOf(sent).code]).toEqual([503, "upstream_unavailable"]);
  });

  test("X-Quantized-Provider forces a provider here too", async () => {
    const headers = { authorization: `Bearer ${open.key}`, "x-quantized-provider": "openrouter" };
    const sent = await askAt(open, PATH, { model: "text-embedding-3-small", contents: "forced" }, headers);
    expect(sent.headers.get("x-embedgate-provider")).toBe("openrouter");
  });
});
