/**
 * Each family of models on the fake of Bedrock: its fields, its limits in texts, characters and tokens, its replies.
 * Sources: docs.aws.amazon.com/bedrock/latest/userguide/model-parameters-titan-embed-text.html, …-titan-embed-mm, …-embed-v3, …-embed-v4,
 * docs.aws.amazon.com/nova/latest/userguide/embeddings-schema.html; aws-samples/amazon-bedrock-workshop#136, ScrapeGraphAI/Scrapegraph-ai#400,
 * run-llama/llama_index#14118, BerriAI/litellm#14680, maximhq/bifrost#3471.
 */
import { exactVector } from "../../../plugins/fake";
import type { IndexedVector } from "../../../src/plugin";

export type Body = Readonly<Record<string, unknown>>;
export interface Replied {
  readonly body: unknown;
  readonly tokens: number;
}

export class Refusal extends Error {
  constructor(
    readonly status: number,
    readonly type: string,
    message: string,
  ) {
    super(message);
  }
}

export const invalid = (message: string) => new Refusal(400, "ValidationException", message);
export const malformed = (what: string) =>
  invalid(`Malformed input request: ${what}, please reformat your input and try again.`);

/** Without region and version. */
export const MODELS: Readonly<Record<string, (body: Body) => Replied>> = {
  "amazon.titan-embed-text-v2": titanText2,
  "amazon.titan-embed-text-v1": titanText1,
  "amazon.titan-embed-g1-text-02": titanText1,
  "amazon.titan-embed-image-v1": titanImage,
  "cohere.embed-english-v3": cohere3,
  "cohere.embed-multilingual-v3": cohere3,
  "cohere.embed-v4": cohere4,
  "amazon.nova-2-multimodal-embeddings-v1": nova,
};
export const isRecord = (value: unknown): value is Record<string, unknown> =>
  typeof value === "object" && value !== null && !Array.isArray(value);
export const wordsOf = (text: string) => text.split(/\s+/).filter(Boolean).length;

function refuseExtra(body: object, known: readonly string[]): void {
  const extra = Object.keys(body).find((key) => !known.includes(key));
  if (extra !== undefined) throw malformed(`#: extraneous key [${extra}] is not permitted`);
}

function oneOf<Value>(value: unknown, allowed: readonly Value[], where: string): Value | undefined {
  if (value === undefined) return undefined;
  const found = allowed.find((one) => one === value);
  if (found === undefined) throw malformed(`#/${where}: ${JSON.stringify(value)} is not a valid enum value`);
  return found;
}

function titanText(body: Body, tokensMax: number, charactersMax: number): { text: string; tokens: number } {
  const { inputText: text } = body;
  if (typeof text !== "string") throw malformed("#: required key [inputText] not found");
  if (text.length < 1) throw malformed("#/inputText: expected minLength: 1, actual: 0");
  if (text.length > charactersMax)
    throw malformed(`#/inputText: expected maxLength: ${charactersMax}, actual: ${text.length}`);
  const tokens = wordsOf(text);
  if (tokens > tokensMax) {
    throw invalid(
      `400 Bad Request: Too many input tokens. Max input tokens: ${tokensMax}, request input token count: ${tokens} `,
    );
  }
  return { text, tokens };
}

function titanText2(body: Body): Replied {
  refuseExtra(body, ["inputText", "dimensions", "normalize", "embeddingTypes"]);
  const { text, tokens } = titanText(body, 8192, 50_000);
  const size = oneOf(body.dimensions, [256, 512, 1024], "dimensions") ?? 1024;
  const normalize = oneOf(body.normalize, [true, false], "normalize") ?? true;
  const types = typesOf(body.embeddingTypes, ["float", "binary"], "embeddingTypes");
  const vector = exactVector(text, size);
  const float = [...(normalize ? vector : vector.map((value) => value * 3))];
  const byType = {
    ...(types.includes("binary") ? { binary: bitsOf(vector) } : {}),
    ...(types.includes("float") ? { float } : {}),
  };
  return {
    tokens,
    body: {
      ...(types.includes("float") ? { embedding: float } : {}),
      embeddingsByType: byType,
      inputTextTokenCount: tokens,
    },
  };
}

function titanText1(body: Body): Replied {
  refuseExtra(body, ["inputText"]);
  const { text, tokens } = titanText(body, 8192, 50_000);
  const embedding = [...exactVector(text, 1536)].map((value) => value * 20);
  return { tokens, body: { embedding, inputTextTokenCount: tokens } };
}

function titanImage(body: Body): Replied {
  refuseExtra(body, ["inputText", "inputImage", "embeddingConfig"]);
  const { text, tokens } = titanText(body, 256, 50_000);
  const { embeddingConfig: config = {} } = body;
  if (!isRecord(config)) throw malformed("#/embeddingConfig: expected type: JSONObject");
  refuseExtra(config, ["outputEmbeddingLength"]);
  const size = oneOf(config.outputEmbeddingLength, [256, 384, 1024], "embeddingConfig") ?? 1024;
  return {
    tokens,
    body: { embedding: [...exactVector(text, size)], inputTextTokenCount: tokens, message: null },
  };
}

function typesOf(value: unknown, allowed: readonly string[], where: string): readonly string[] {
  if (value === undefined) return ["float"];
  if (!Array.isArray(value) || value.length === 0) throw malformed(`#/${where}: expected type: JSONArray`);
  return value.map((type: unknown) => oneOf(type, allowed, where) ?? "");
}

const TASKS = ["search_document", "search_query", "classification", "clustering"];
const TYPES = ["float", "int8", "uint8", "binary", "ubinary"];

function cohere3(body: Body): Replied {
  refuseExtra(body, ["texts", "images", "input_type", "truncate", "embedding_types"]);
  const texts = textsOf(body);
  for (const [place, text] of texts.entries())
    if (text.length > 2048)
      throw malformed(`#/texts/${place}: expected maxLength: 2048, actual: ${text.length}`);
  const truncate = oneOf(body.truncate, ["NONE", "START", "END"], "truncate") ?? "NONE";
  const tokens = tokensOf(texts, 512, truncate === "NONE");
  const types =
    body.embedding_types === undefined ? [] : typesOf(body.embedding_types, TYPES, "embedding_types");
  return { tokens, body: cohereReply(vectorsOf(texts, 1024), types, texts) };
}

function cohere4(body: Body): Replied {
  const known = ["texts", "images", "inputs", "input_type", "truncate", "embedding_types"];
  refuseExtra(body, [...known, "output_dimension", "max_tokens"]);
  const texts = textsOf(body);
  const truncate = oneOf(body.truncate, ["NONE", "LEFT", "RIGHT"], "truncate") ?? "RIGHT";
  const size = oneOf(body.output_dimension, [256, 512, 1024, 1536], "output_dimension") ?? 1536;
  const tokens = tokensOf(texts, 128_000, truncate === "NONE");
  const types = typesOf(body.embedding_types, TYPES, "embedding_types");
  return { tokens, body: cohereReply(vectorsOf(texts, size), types, texts) };
}

const vectorsOf = (texts: readonly string[], size: number) =>
  texts.map((text, index) => ({ index, values: exactVector(text, size) }));

function textsOf({ texts, input_type }: Body): readonly string[] {
  if (oneOf(input_type, TASKS, "input_type") === undefined)
    throw malformed("#: required key [input_type] not found");
  if (!Array.isArray(texts)) throw malformed("#: required key [texts] not found");
  if (texts.length > 96) throw malformed(`#/texts: expected maximum item count: 96, found: ${texts.length}`);
  return texts.map((text: unknown, place) => {
    if (typeof text !== "string") throw malformed(`#/texts/${place}: expected type: String`);
    return text;
  });
}

function tokensOf(texts: readonly string[], most: number, refuses: boolean): number {
  const counts = texts.map(wordsOf);
  if (refuses && counts.some((count) => count > most))
    throw invalid("Input is too long for requested model.");
  return counts.reduce((sum, count) => sum + Math.min(count, most), 0);
}

/** No types: version 3 that was asked for none. */
export function cohereReply(
  vectors: readonly IndexedVector[],
  types: readonly string[],
  texts: readonly string[],
): unknown {
  const about = { id: "53bf59b8-fc3c-4376-96dc-239d47b47a41", texts };
  if (types.length === 0) {
    const embeddings = vectors.map(({ values }) => [...values]);
    return { ...about, embeddings, response_type: "embeddings_floats" };
  }
  const embeddings = Object.fromEntries(
    types.map((type) => [type, vectors.map(({ values }) => inType(type, values))]),
  );
  return { ...about, embeddings, response_type: "embeddings_by_type" };
}

export function inType(type: string, values: Float32Array): number[] {
  const signed = [...values].map((value) => Math.max(-128, Math.min(127, Math.round(value * 1000)) + 0));
  const bytes = packed(values);
  switch (type) {
    case "int8":
      return signed;
    case "uint8":
      return signed.map((value) => value + 128);
    case "ubinary":
      return bytes;
    case "binary":
      return bytes.map((byte) => byte - 128);
    default:
      return [...values];
  }
}

export const bitsOf = (values: Float32Array) => [...values].map((value) => (value > 0 ? 1 : 0));

function packed(values: Float32Array): number[] {
  const bits = bitsOf(values);
  return Array.from({ length: bits.length / 8 }, (_, byte) =>
    bits.slice(byte * 8, byte * 8 + 8).reduce((sum: number, bit) => sum * 2 + bit, 0),
  );
}

const PURPOSES = [
  "GENERIC_INDEX",
  "GENERIC_RETRIEVAL",
  "TEXT_RETRIEVAL",
  "IMAGE_RETRIEVAL",
  "VIDEO_RETRIEVAL",
  "DOCUMENT_RETRIEVAL",
  "AUDIO_RETRIEVAL",
  "CLASSIFICATION",
  "CLUSTERING",
];

function nova(body: Body): Replied {
  refuseExtra(body, ["schemaVersion", "taskType", "singleEmbeddingParams"]);
  oneOf(body.schemaVersion, ["nova-multimodal-embed-v1"], "schemaVersion");
  if (oneOf(body.taskType, ["SINGLE_EMBEDDING"], "taskType") === undefined)
    throw malformed("#: required key [taskType] not found");
  const { singleEmbeddingParams: params } = body;
  if (!isRecord(params) || !isRecord(params.text)) throw malformed("#/singleEmbeddingParams: required");
  refuseExtra(params, ["embeddingPurpose", "embeddingDimension", "text"]);
  refuseExtra(params.text, ["truncationMode", "value"]);
  if (oneOf(params.embeddingPurpose, PURPOSES, "embeddingPurpose") === undefined)
    throw malformed("#/singleEmbeddingParams: required key [embeddingPurpose] not found");
  const size = oneOf(params.embeddingDimension, [256, 384, 1024, 3072], "embeddingDimension") ?? 3072;
  const mode = oneOf(params.text.truncationMode, ["START", "END", "NONE"], "truncationMode");
  const { value } = params.text;
  if (mode === undefined || typeof value !== "string" || value === "")
    throw malformed("#/singleEmbeddingParams/text: required keys not found");
  const tokens = wordsOf(value);
  if (tokens > 8172 && mode === "NONE") throw invalid("Input is too long for requested model.");
  const cut = tokens > 8172 ? { truncatedCharLength: 30_000 } : {};
  const embedding = [...exactVector(value, size)];
  return { tokens, body: { embeddings: [{ embeddingType: "TEXT", embedding, ...cut }] } };
}
