/**
 * Q8 for Amazon's API, in the `quantized` dialect: what is refused, and the same keys, credits, limits, ledger, cache and vector
 * checks as /v1/embeddings. A refusal is a row of REFUSALS, an invalid typed vector a row of SPOILT.
 */
import { afterAll, beforeAll, describe, expect, test } from "bun:test";
import { exactVector } from "../../plugins/fake";
import { inType } from "../plugins/vendors/bedrock-models";
import { askAt, callsOf } from "./sibling";
import { openSpeaking, refusalOf, type Speaking } from "./speaking";

const TITAN = "amazon.titan-embed-text-v2:0";
const COHERE = "cohere.embed-english-v3";
const COHERE4 = "cohere.embed-v4:0";
const PATH = "/v1/aws-bedrock/embeddings";

let open: Speaking;
beforeAll(async () => {
  open = await openSpeaking({ server: "dialect: quantized" });
});
afterAll(() => open[Symbol.asyncDispose]());

const ask = (body: unknown) => askAt(open, PATH, body);

async function sentFor(body: unknown) {
  open.calls.length = 0;
  const sent = await ask(body);
  return { sent, bodies: callsOf(open) };
}

describe("Q8 what is refused", () => {
  const REFUSALS: readonly (readonly [string, unknown, string | null])[] = [
    ["nothing to embed", { model: TITAN }, "input"],
    ["no model", { inputText: "a" }, "model"],
    ["two things to embed", { model: TITAN, inputText: "a", texts: ["b"] }, "texts"],
    ["input beside texts", { model: COHERE, input: "a", texts: ["b"] }, "texts"],
    ["an empty list", { model: COHERE, texts: [] }, "texts"],
    ["a number as text", { model: COHERE, texts: ["a", 7] }, "texts[1]"],
    ["half a character", { model: COHERE, texts: ["a", "\ud800"] }, "texts[1]"],
    [
      "a type that there is not",
      { model: COHERE, texts: ["a"], embedding_types: ["int4"] },
      "embedding_types[0]",
    ],
    [
      "a type that Titan has not",
      { model: TITAN, inputText: "a", embeddingTypes: ["int8"] },
      "embeddingTypes",
    ],
    [
      "types of a model that has none",
      { model: "text-embedding-3-small", input: "a", embedding_types: ["int8"] },
      "embedding_types",
    ],
    [
      "types said twice",
      { model: COHERE, texts: ["a"], embedding_types: ["int8"], embeddingTypes: ["uint8"] },
      "embeddingTypes",
    ],
    [
      "a size said twice",
      { model: COHERE4, texts: ["a"], output_dimension: 256, dimensions: 512 },
      "output_dimension",
    ],
    ["a size that there is not", { model: COHERE4, texts: ["a"], outputDimension: 300 }, "outputDimension"],
    ["a task that is none", { model: COHERE, texts: ["a"], inputType: "nonsense" }, "inputType"],
    ["a task of Titan's", { model: TITAN, inputText: "a", input_type: "search_query" }, "input_type"],
    ["a cut that is none", { model: COHERE, texts: ["a"], truncate: "MIDDLE" }, "truncate"],
    ["`normalize` of Cohere's", { model: COHERE, texts: ["a"], normalize: true }, "normalize"],
    [
      "`normalize` of another provider's",
      { model: "text-embedding-3-small", input: "a", normalize: true },
      "normalize",
    ],
    ["images", { model: COHERE, texts: ["a"], images: ["data:,"] }, "images"],
    [
      "base64 for Titan's shape",
      { model: TITAN, inputText: "a", encoding_format: "base64" },
      "encoding_format",
    ],
    ["an unknown field", { model: TITAN, inputText: "a", nonsense: 1 }, "nonsense"],
    ["an array", [], null],
    ["no JSON", "{", null],
  ];
  test.each(REFUSALS)("%s is 422, named by its own field, before any call", async (_, body, param) => {
    const { sent, bodies } = await sentFor(body);
    expect(refusalOf(sent)).toMatchObject({ status: 422, param });
    expect(bodies).toEqual([]);
  });

  test("a text that is too long is refused and named by its own field", async () => {
    const { sent } = await sentFor({
      model: COHERE,
      texts: ["short", "x".repeat(3000)],
      input_type: "search_query",
    });
    expect(refusalOf(sent)).toMatchObject({
      status: 422,
      code: "context_length_exceeded",
      param: "texts[1]",
    });
    const titan = await ask({ model: TITAN, inputText: " word".repeat(9000) });
    expect(refusalOf(titan)).toMatchObject({ code: "context_length_exceeded", param: "inputText" });
  });

  test("a text in pieces has only float vectors", async () => {
    await using averaging = await openSpeaking({
      server: "dialect: quantized",
      more: `  averaged: { routes: [ { provider: aws, model: ${COHERE} } ], long_input: average }\n`,
    });
    const body = { model: "averaged", texts: ["short", "x ".repeat(900)] };
    const floats = await askAt(averaging, PATH, body);
    expect([floats.status, floats.headers.get("x-embedgate-averaged")]).toEqual([200, "1"]);
    const typed = await askAt(averaging, PATH, { ...body, embedding_types: ["int8"] });
    expect(refusalOf(typed)).toMatchObject({
      status: 422,
      code: "context_length_exceeded",
      param: "texts[1]",
    });
  });

  test("dimensions that the gateway cuts itself have only float vectors", async () => {
    await using cutting = await openSpeaking({
      server: "dialect: quantized",
      more: `  cut: { routes: [ { provider: aws, model: ${COHERE} } ], dimensions_policy: truncate }\n`,
    });
    const body = { model: "cut", texts: ["a"], dimensions: 512 };
    expect((await askAt(cutting, PATH, body)).status).toBe(200);
    const typed = await askAt(cutting, PATH, { ...body, embeddingTypes: ["int8"] });
    expect(refusalOf(typed)).toMatchObject({ status: 422, param: "embeddingTypes" });
  });

  test("an empty text is treated as in `input`: accepted, or refused if the dialect refuses it", async () => {
    expect((await ask({ model: COHERE, texts: [""], input_type: "search_query" })).status).toBe(200);
    await using strict = await openSpeaking({ server: "dialect: openai" });
    const sent = await askAt(strict, PATH, { model: COHERE, texts: ["a", ""] });
    expect(refusalOf(sent)).toMatchObject({ status: 400, param: "texts[1]" });
  });
});

describe("Q8 the same keys, credits, limits, ledger, cache and vector checks as /v1/embeddings", () => {
  test("a key is needed, and an unknown model is 404", async () => {
    expect(refusalOf(await askAt(open, PATH, { model: TITAN, inputText: "a" }, {})).status).toBe(401);
    expect(refusalOf(await ask({ model: "amazon.titan-9", inputText: "a" }))).toMatchObject({
      status: 404,
      code: "model_not_found",
    });
  });

  test("a request has its row in the ledger, and costs what it costs there", async () => {
    await using counted = await openSpeaking({ server: "dialect: quantized", credits: 100n });
    const sent = await askAt(counted, PATH, { model: "fake", texts: ["one two", "three"] });
    expect(sent.json).toMatchObject({ usage: { prompt_tokens: 3, credits_used: 10, credits_remaining: 90 } });
    expect(counted.rows().at(-1)).toMatchObject({ model: "fake", inputs: 2, tokens: 3, status: 200 });
    const much = await askAt(counted, PATH, { model: "fake", inputText: "many words ".repeat(50) });
    expect(refusalOf(much)).toMatchObject({ status: 402, code: "insufficient_credit" });
  });

  test("float is cached and found by either path; other types are never cached, and equal texts of a request are still sent once", async () => {
    await using keeping = await openSpeaking({
      server: "dialect: quantized",
      more: "cache: { memory_mb: 8 }",
    });
    const noted = async (body: object) => {
      keeping.calls.length = 0;
      const sent = await askAt(keeping, PATH, body);
      expect(sent.status).toBe(200);
      return [sent.headers.get("x-embedgate-cache"), callsOf(keeping).length];
    };
    await keeping.ask({ model: COHERE, input: "kept" });
    expect(await noted({ model: COHERE, texts: ["kept"] })).toEqual(["hit=1, miss=0", 0]);
    const typed = { model: COHERE, texts: ["kept", "kept"], embedding_types: ["int8"] };
    expect(await noted(typed)).toEqual(["bypass", 1]);
    expect(keeping.calls.at(-1)?.body.texts).toEqual(["kept"]);
    expect(await noted(typed)).toEqual(["bypass", 1]);
  });

  const float = Array.from(exactVector("a", 1024));
  const SPOILT: readonly (readonly [string, object])[] = [
    ["without the type", { float: [float] }],
    ["a number too few", { float: [float], int8: [inType("int8", exactVector("a", 1016))] }],
    ["of zeros", { float: [float], int8: [new Array(1024).fill(0)] }],
    [
      "out of range",
      { float: [float], int8: [[...inType("int8", exactVector("a", 1016)), 1, 2, 3, 4, 5, 6, 7, 128]] },
    ],
    ["half a number", { float: [float], int8: [[...inType("int8", exactVector("a", 1023)), 0.5]] }],
    [
      "whose float is none",
      { float: [[1e39, ...float.slice(1)]], int8: [inType("int8", exactVector("a", 1024))] },
    ],
  ];
  test.each(SPOILT)("a typed vector %s is never answered, and costs nothing", async (_, embeddings) => {
    await using spoilt = await openSpeaking({ server: "dialect: quantized", credits: 1000n });
    spoilt.answers.set("bedrock-runtime.us-east-1.amazonaws.com", () => Response.json({ embeddings }));
    const sent = await askAt(spoilt, PATH, { model: COHERE, texts: ["a"], embedding_types: ["int8"] });
    expect([sent.status, refusalOf(sent).code]).toEqual([503, "upstream_unavailable"]);
    expect(spoilt.rows().at(-1)).toMatchObject({ status: 503, micro_credits: 0 });
  });
});
