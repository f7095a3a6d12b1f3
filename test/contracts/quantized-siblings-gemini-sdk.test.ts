/**
 * Q8 with Google's own SDK, pointed at the gateway: answers are Google's, refusals are its ApiError.
 * quantized-siblings-gemini.test.ts has the shapes that the SDK never sends.
 */
import { afterAll, beforeAll, describe, expect, test } from "bun:test";
import { ApiError, GoogleGenAI } from "@google/genai";
import { askAt } from "./sibling";
import { answerOf, openSpeaking, type Speaking } from "./speaking";

const OLDER = "gemini-embedding-001";
const NEWER = "gemini-embedding-2";

let open: Speaking;
beforeAll(async () => {
  open = await openSpeaking({ server: "dialect: quantized" });
});
afterAll(() => open[Symbol.asyncDispose]());

const ask = (body: unknown, path = "/v1/gemini/embeddings") => askAt(open, path, body);
const content = (text: string) => ({ parts: [{ text }] });
const entry = (text: string) => ({ model: `models/${OLDER}`, content: content(text) });

/** The vectors of the path itself. */
async function usual(input: readonly string[], more: object = {}) {
  const { data } = answerOf(await ask({ model: OLDER, input, ...more }));
  return data.map(({ embedding }) => [embedding].flat().map(Number));
}

describe("Q8 Google's own SDK", () => {
  const sdk = (base = "/v1/gemini", apiKey = open.key) =>
    new GoogleGenAI({
      apiKey,
      httpOptions: {
        baseUrl: `http://localhost:8080${base}`,
        fetch: async (input: RequestInfo | URL, init?: RequestInit) =>
          open.gateway.door.handle(new Request(String(input), init)),
      },
    }).models;

  test.each([["/v1/gemini"], ["/v1/gemini/embeddings"], ["/v1/gemini/"]])(
    "embeds, with the base URL %s",
    async (base) => {
      const answer = await sdk(base).embedContent({
        model: OLDER,
        contents: ["one", "two"],
        config: { taskType: "RETRIEVAL_QUERY", outputDimensionality: 768 },
      });
      const settings = { task_type: "RETRIEVAL_QUERY", output_dimensionality: 768 };
      const right = await usual(["one", "two"], settings);
      expect(answer.embeddings?.map(({ values }) => values)).toEqual(right);
      expect(answer.usageMetadata).toMatchObject({ promptTokenCount: 2 });
    },
  );

  test("an id may contain slashes, and belong to any provider", async () => {
    for (const [model, size] of [
      ["google/text-embedding-004", 768],
      ["text-embedding-3-small", 1536],
    ] as const) {
      const { embeddings } = await sdk().embedContent({ model, contents: "a text" });
      expect(embeddings?.map(({ values }) => values?.length)).toEqual([size]);
    }
  });

  test("of the newer model, each content has a vector; texts, which the SDK turns into parts of one content, are refused", async () => {
    const contents = [content("one"), content("two words")];
    const { embeddings, usageMetadata } = await sdk().embedContent({ model: NEWER, contents });
    expect(embeddings).toHaveLength(2);
    expect(usageMetadata).toMatchObject({ promptTokenCount: 3 });
    const fused = sdk().embedContent({ model: NEWER, contents: ["one", "two words"] });
    await expect(fused).rejects.toThrow("'requests[0].content.parts[1]' is a second part");
    await expect(fused).rejects.toMatchObject({ status: 422 });
  });

  test.each([
    ["a wrong key", { model: OLDER, contents: "a" }, "sk-wrong", 401, "Incorrect API key"],
    ["an unknown model", { model: "gemini-embedding-9", contents: "a" }, undefined, 404, "does not exist"],
    [
      "a task that is none",
      { model: OLDER, contents: "a", config: { taskType: "NONSENSE" } },
      undefined,
      422,
      "NONSENSE",
    ],
    [
      "a size too large",
      { model: OLDER, contents: "a", config: { outputDimensionality: 4000 } },
      undefined,
      422,
      "4000 dimensions",
    ],
    ["nothing to embed", { model: OLDER, contents: "" }, undefined, 422, "is an empty array"],
  ])("%s is Google's ApiError with our words", async (_, parameters, key, status, words) => {
    const thrown = await sdk(undefined, key)
      .embedContent(parameters)
      .catch((error: unknown) => error);
    expect(thrown).toBeInstanceOf(ApiError);
    expect(thrown).toMatchObject({ status, message: expect.stringContaining(words) });
  });

  test("paths of its older SDKs: one content, or a batch, of either version", async () => {
    for (const version of ["v1", "v1beta"]) {
      const base = `/v1/gemini/${version}/models/${OLDER}`;
      const [first, second] = await usual(["a", "b"]);
      const one = await ask({ content: content("a") }, `${base}:embedContent`);
      expect(one.json).toMatchObject({ embedding: { values: first } });
      const two = await ask({ requests: [entry("a"), entry("b")] }, `${base}:batchEmbedContents`);
      expect(two.json).toMatchObject({ embeddings: [{ values: first }, { values: second }] });
    }
    expect((await ask({}, `/v1/gemini/v1beta/models/${OLDER}:generateContent`)).json).toMatchObject({
      error: { code: 404, status: "NOT_FOUND" },
    });
  });
});
