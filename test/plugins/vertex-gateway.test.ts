/**
 * Vertex AI's models for a caller of the gateway: dimensions, limits, tasks and tokens as in the catalogue, over the fake of its API.
 * vertex.test.ts has what concerns the API alone.
 */
import { describe, expect, test } from "bun:test";
import { cosine, openThrough, vectorsOf } from "./conformance/gateway";
import { PROJECT, VERTEX_TOKEN, vertexVendor } from "./vendors/vertex";

const TEXT = "text-embedding-005";
const OLDER = "gemini-embedding-001";
const NEWER = "gemini-embedding-2";
const YAML = `
space_probe: false
providers:
  vertex: { plugin: vertex, project: ${PROJECT}, access_token: ${VERTEX_TOKEN} }
models:
  ${TEXT}: { routes: [ { provider: vertex } ] }
  ${OLDER}: { routes: [ { provider: vertex } ] }
  ${NEWER}: { routes: [ { provider: vertex } ] }
  cutting: { routes: [ { provider: vertex, model: ${TEXT} } ], long_input: truncate }
`;

const openVertex = () => openThrough(vertexVendor(TEXT), YAML);

const COUNTS = [1, 2, 96, 97, 100, 101, 2048];
const MODELS = [
  [TEXT, 250],
  [OLDER, 1],
  [NEWER, 1],
] as const;

describe("through the gateway", () => {
  for (const [model, most] of MODELS) {
    test.each(COUNTS)(
      `of %d texts for ${model} each has its own vector, at most ${most} a call`,
      async (count) => {
        await using open = await openVertex();
        const input = Array.from({ length: count }, (_, place) => `text ${place}`);
        const sent = await open.gateway.post({ model, input, dimensions: 128 });
        expect([sent.status, Object(sent.json).usage]).toEqual([
          200,
          { prompt_tokens: 2 * count, total_tokens: 2 * count },
        ]);
        expect(sent.headers.get("x-embedgate-usage")).toBeNull();
        const vectors = vectorsOf(sent);
        expect(vectors).toHaveLength(count);
        for (const [place, text] of input.entries())
          expect(cosine(vectors[place] ?? [], text)).toBeGreaterThan(0.9999);
        for (const vector of vectors) expect(Math.hypot(...vector)).toBeCloseTo(1, 5);
        const calls = open.network.requests.filter(({ body }) => body.includes('"text '));
        expect(calls).toHaveLength(Math.ceil(count / most));
      },
    );
  }

  test("a call has no more than 20,000 tokens, and texts too long for the model are refused or truncated as requested", async () => {
    await using open = await openVertex();
    const texts = Array.from({ length: 30 }, (_, place) => `${place} ${"word ".repeat(700)}`);
    const many = await open.gateway.post({ model: TEXT, input: texts });
    expect([many.status, Object(many.json).usage.prompt_tokens]).toEqual([200, 30 * 701]);
    const long = "word ".repeat(3000);
    const refused = await open.gateway.post({ model: TEXT, input: ["short", long] });
    expect(refused.json).toMatchObject({ error: { code: "context_length_exceeded", param: "input[1]" } });
    const cut = await open.gateway.post({ model: TEXT, input: ["short", long], truncate: "END" });
    expect([cut.status, cut.headers.get("x-embedgate-truncated")]).toEqual([200, "1"]);
    // By the vendor's own count, which is more exact.
    expect(Object(cut.json).usage.prompt_tokens).toBe(2049);
    const always = await open.gateway.post({ model: "cutting", input: ["short", long] });
    expect([always.status, always.headers.get("x-embedgate-truncated")]).toEqual([200, "1"]);
  });

  test("a task in every vendor's word, and a title, become Google's own", async () => {
    await using open = await openVertex();
    await open.gateway.post({ model: TEXT, input: "a text", input_type: "search_document", title: "T" });
    const asked = open.network.requests.find(({ body }) => body.includes('"a text"'));
    expect(JSON.parse(asked?.body ?? "")).toMatchObject({
      instances: [{ content: "a text", task_type: "RETRIEVAL_DOCUMENT", title: "T" }],
    });
  });

  test("Google's own API can be answered through Vertex AI too", async () => {
    await using open = await openVertex();
    const sent = await open.gateway.send("/v1/gemini/embeddings", {
      method: "POST",
      body: JSON.stringify({ model: NEWER, contents: ["one", "two words"], outputDimensionality: 256 }),
    });
    const { embeddings, usageMetadata } = Object(sent.json);
    expect(embeddings.map(({ values }: { values: number[] }) => values.length)).toEqual([256, 256]);
    expect(usageMetadata).toEqual({ promptTokenCount: 3 });
  });
});
