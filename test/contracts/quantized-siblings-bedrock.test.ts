/**
 * Q8 for Amazon's API, in the `quantized` dialect: its requests and answers, in Titan's shape, in Cohere's, and like
 * /v1/embeddings. quantized-siblings-bedrock-rules.test.ts has refusals, and what is the same as at /v1/embeddings.
 */
import { afterAll, beforeAll, describe, expect, test } from "bun:test";
import { Value } from "@sinclair/typebox/value";
import { exactVector } from "../../plugins/fake";
import { DIALECTS } from "../../src/dialects/records";
import { schemasOf } from "../../src/dialects/wires/bedrock-schema";
import { bitsOf, inType } from "../plugins/vendors/bedrock-models";
import { printed } from "../printing/printed";
import { askAt, callsOf } from "./sibling";
import { openSpeaking, type Speaking } from "./speaking";

const TITAN = "amazon.titan-embed-text-v2:0";
const COHERE = "cohere.embed-english-v3";
const COHERE4 = "cohere.embed-v4:0";
const PATH = "/v1/aws-bedrock/embeddings";
const TYPES = ["int8", "uint8", "binary", "ubinary"] as const;

let open: Speaking;
beforeAll(async () => {
  open = await openSpeaking({ server: "dialect: quantized" });
});
afterAll(() => open[Symbol.asyncDispose]());

const ask = (body: unknown) => askAt(open, PATH, body);
/** All requests here are valid, and the OpenAPI document describes them and their answers. */
const { BedrockEmbeddingsRequest, BedrockEmbeddingsResponse } = schemasOf(DIALECTS.quantized);

async function sentFor(body: unknown) {
  open.calls.length = 0;
  const sent = await ask(body);
  expect([...Value.Errors(BedrockEmbeddingsRequest, body)]).toEqual([]);
  expect([...Value.Errors(BedrockEmbeddingsResponse, sent.json)]).toEqual([]);
  return { sent, bodies: callsOf(open) };
}

const usage = (tokens: number) => ({
  prompt_tokens: tokens,
  total_tokens: tokens,
  credits_used: expect.any(Number),
  credits_remaining: null,
});
const titans = (text: string, size = 1024) => exactVector(text, size);
/** As /v1/embeddings answers it: Cohere's vectors have no known length, so each is normalised here. */
const coheres = async (texts: readonly string[], more: object = {}) => {
  const { json } = await open.ask({ model: COHERE, input: texts, ...more });
  return Object(json).data.map(({ embedding }: { embedding: number[] }) => embedding);
};

describe("Q8 Titan's own request, answered in Titan's shape", () => {
  test("inputText alone has a float vector, by itself and by type", async () => {
    const { sent, bodies } = await sentFor({ model: TITAN, inputText: "one text" });
    const embedding = printed(titans("one text"));
    expect([sent.status, sent.json]).toEqual([
      200,
      { embedding, embeddingsByType: { float: embedding }, inputTextTokenCount: 2, usage: usage(2) },
    ]);
    expect(bodies).toEqual([{ inputText: "one text" }]);
  });

  test.each([
    ["inputText", "embeddingTypes"],
    ["input_text", "embedding_types"],
  ])("%s with normalize, dimensions and %s", async (text, types) => {
    const { sent, bodies } = await sentFor({
      model: TITAN,
      [text]: `said by ${text}`,
      normalize: false,
      dimensions: 256,
      [types]: ["binary", "float"],
    });
    const values = titans(`said by ${text}`, 256);
    const float = printed(values.map((value) => value * 3));
    expect(sent.json).toEqual({
      embedding: float,
      embeddingsByType: { binary: bitsOf(values), float },
      inputTextTokenCount: 3,
      usage: usage(3),
    });
    expect(bodies).toEqual([
      {
        inputText: `said by ${text}`,
        dimensions: 256,
        normalize: false,
        embeddingTypes: ["float", "binary"],
      },
    ]);
  });

  test("binary alone: float is requested too, as proof, and the answer is what Amazon's page says", async () => {
    const { sent, bodies } = await sentFor({ model: TITAN, inputText: "bits", embeddingTypes: ["binary"] });
    expect(sent.json).toEqual({
      embedding: printed(titans("bits")),
      embeddingsByType: { binary: bitsOf(titans("bits")) },
      inputTextTokenCount: 1,
      usage: usage(1),
    });
    expect(bodies).toEqual([{ inputText: "bits", embeddingTypes: ["float", "binary"] }]);
  });

  test("dimensions in the form of Titan's image models", async () => {
    const body = { model: TITAN, inputText: "a", embeddingConfig: { outputEmbeddingLength: 512 } };
    expect(Object((await ask(body)).json).embedding).toHaveLength(512);
  });
});

describe("Q8 Cohere's own request, answered in Cohere's shape", () => {
  test("texts without types get a list of vectors", async () => {
    const { sent, bodies } = await sentFor({
      model: COHERE,
      texts: ["one", "two words"],
      input_type: "search_query",
    });
    const embeddings = await coheres(["one", "two words"]);
    expect([sent.status, sent.json]).toEqual([
      200,
      {
        id: expect.stringMatching(/^req_/),
        texts: ["one", "two words"],
        embeddings,
        response_type: "embeddings_floats",
        usage: usage(3),
      },
    ]);
    expect(bodies).toEqual([{ texts: ["one", "two words"], input_type: "search_query", truncate: "NONE" }]);
  });

  test.each([
    [COHERE, 1024, {}],
    [COHERE4, 512, { output_dimension: 512 }],
    [COHERE4, 256, { outputDimension: 256 }],
  ])("%s of %d dimensions: every type, in its own numbers", async (model, size, more) => {
    const texts = ["one", "two", "one"];
    const { sent } = await sentFor({
      model,
      texts,
      input_type: "clustering",
      embedding_types: ["float", ...TYPES],
      ...more,
    });
    const { embeddings, response_type, usage: used } = Object(sent.json);
    expect([sent.status, response_type, used]).toEqual([200, "embeddings_by_type", usage(3)]);
    expect(Object.keys(embeddings)).toEqual(["float", ...TYPES]);
    for (const type of TYPES)
      expect([type, embeddings[type]]).toEqual([
        type,
        texts.map((text) => inType(type, exactVector(text, size))),
      ]);
    expect(embeddings.float[0]).toHaveLength(size);
    expect(embeddings.float[2]).toEqual(embeddings.float[0]);
  });

  test("only the requested types are answered", async () => {
    const { sent, bodies } = await sentFor({
      model: COHERE,
      texts: ["one"],
      inputType: "classification",
      embeddingTypes: ["ubinary"],
    });
    expect(Object(sent.json).embeddings).toEqual({ ubinary: [inType("ubinary", exactVector("one", 1024))] });
    expect(bodies).toEqual([
      {
        texts: ["one"],
        input_type: "classification",
        truncate: "NONE",
        embedding_types: ["float", "ubinary"],
      },
    ]);
  });

  test.each([
    [COHERE, "START", "START"],
    [COHERE4, "START", "LEFT"],
    [COHERE, "RIGHT", "END"],
  ])("%s: truncate %s is its own %s", async (model, said, own) => {
    const { sent, bodies } = await sentFor({
      model,
      texts: [`cut ${said}`],
      input_type: "search_query",
      truncate: said,
    });
    expect([sent.status, bodies[0]?.truncate]).toEqual([200, own]);
  });

  test.each([96, 97, 2048])("%d texts each have their own vector", async (count) => {
    const texts = Array.from({ length: count }, (_, place) => `text ${place} of ${count}`);
    const { sent, bodies } = await sentFor({
      model: COHERE4,
      texts,
      input_type: "search_document",
      output_dimension: 256,
      embedding_types: ["int8"],
    });
    expect(bodies).toHaveLength(Math.ceil(count / 96));
    const right = texts.map((text) => inType("int8", exactVector(text, 256)));
    expect(Object(sent.json).embeddings).toEqual({ int8: right });
  });
});

describe("Q8 `input`, answered like /v1/embeddings", () => {
  test.each<[string, string | readonly string[]]>([
    ["one text", "alone"],
    ["several", ["one", "two"]],
  ])("%s, with other types under embeddings_by_type", async (_, input) => {
    const { sent } = await sentFor({
      model: COHERE,
      input,
      input_type: "search_query",
      embedding_types: ["float", "int8", "binary"],
    });
    const texts = [input].flat();
    const floats = await coheres(texts);
    expect([sent.status, sent.json]).toEqual([
      200,
      {
        object: "list",
        data: texts.map((text, index) => ({
          object: "embedding",
          index,
          embedding: floats[index],
          embeddings_by_type: {
            int8: inType("int8", exactVector(text, 1024)),
            binary: inType("binary", exactVector(text, 1024)),
          },
        })),
        model: COHERE,
        usage: usage(texts.length),
      },
    ]);
  });

  test("Titan accepts a list too, with one call each", async () => {
    const { sent, bodies } = await sentFor({
      model: TITAN,
      input: ["a", "b", "c"],
      dimensions: 256,
      embedding_types: ["binary"],
    });
    expect(bodies).toHaveLength(3);
    expect(Object(sent.json).data.map((entry: object) => Object(entry).embeddings_by_type)).toEqual(
      ["a", "b", "c"].map((text) => ({ binary: bitsOf(titans(text, 256)) })),
    );
  });

  test("without further types it equals /v1/embeddings, for any model", async () => {
    for (const body of [
      { model: COHERE, input: ["one", "two"] },
      { model: "text-embedding-3-small", input: "one", dimensions: 256 },
    ]) {
      const [here, there] = [await ask(body), await open.ask(body)];
      expect([here.status, Object(here.json).data]).toEqual([200, Object(there.json).data]);
    }
    const types = { model: "text-embedding-3-small", input: "one", embedding_types: ["float"] };
    expect((await ask(types)).status).toBe(200);
  });
});
