/**
 * Voyage AI's embeddings endpoint, as strict as Voyage: a field or a value that it does not know, `encoding_format: float` among them, 1001
 * texts, too many tokens in all or in one are refused with its messages, its errors in `detail`.
 * Sources: docs.voyageai.com/reference/embeddings-api, ramakay/claude-self-reflect#38, latitude-dev/latitude-llm#3554. Messages marked
 * "remembered" have no public recording: only their status is checked.
 */
import { exactVector } from "../../../plugins/fake";
import type { Vendor } from "../conformance";
import { type Entry, entryOf } from "./openai-wire";
import { bearerOf, isTexts, type Json, jsonOf, Refusal, strictVendor, unknownFieldOf } from "./strict";
import { firstTokens, tokensIn, tokensOf } from "./word-tokens";

export const VOYAGE_KEY = "pa-Vb1Nm3Qw5Et7Yu9IoP0aS2dF4gHjkq7Rr2Lx4Zc9";
export const MONGODB_KEY = "al-9cZ4xL2rR7qkjHg4Fd2Sa0PoI9uY7tE5wQ3mN1bV";
const HOSTS: Readonly<Record<string, string>> = {
  "https://api.voyageai.com/v1/embeddings": VOYAGE_KEY,
  "https://ai.mongodb.com/v1/embeddings": MONGODB_KEY,
};
const TEXTS_MAX = 1000;

interface Model {
  readonly sizes: readonly number[];
  readonly tokens: number;
  readonly batchTokens: number;
}

const SIZES = [1024, 256, 512, 2048];
const MODELS: Readonly<Record<string, Model>> = {
  "voyage-4-large": { sizes: SIZES, tokens: 32_000, batchTokens: 120_000 },
  "voyage-4": { sizes: SIZES, tokens: 32_000, batchTokens: 320_000 },
  "voyage-3.5-lite": { sizes: SIZES, tokens: 32_000, batchTokens: 1_000_000 },
  "voyage-law-2": { sizes: [1024], tokens: 16_000, batchTokens: 120_000 },
};
const FIELDS = [
  "input",
  "model",
  "input_type",
  "truncation",
  "output_dimension",
  "output_dtype",
  "encoding_format",
];

const refusal = (status: number, detail: string) => new Refusal(status, { detail });
const badBody = (particular: string) =>
  refusal(
    400,
    `The request body is not valid JSON, or some arguments were not specified properly. In particular, ${particular}`,
  );

export function voyageVendor(model = "voyage-4"): Vendor {
  return strictVendor({
    answer,
    vectorOf: (text) => exactVector(text, MODELS[model]?.sizes[0] ?? 0),
    reply: (entries) => replyOf(model, entries, 5),
    error: (message) => ({ detail: message }),
    indexed: true,
  });
}

function answer(url: string, init: RequestInit): object {
  const expected = HOSTS[url];
  if (expected === undefined || init.method !== "POST") throw refusal(404, "Not Found");
  // The body before the key, as it was seen of its reranker.
  const body = checkedBody(init);
  if (bearerOf(init) !== expected) throw refusal(401, "Provided API key is invalid."); // remembered
  const { model: name } = body;
  const model = typeof name === "string" ? MODELS[name] : undefined;
  if (!model) {
    const known = Object.keys(MODELS).map((other) => `'${other}'`);
    throw refusal(400, `Model ${String(name)} is not supported. Supported models are [${known.join(", ")}].`);
  }
  const texts = textsOf(body.input, String(name), model, body.truncation !== false);
  const dimensions = dimensionsOf(body.output_dimension, String(name), model);
  const before = body.input_type ? `${String(body.input_type)}: ` : "";
  const entries = texts.map((text, index) =>
    entryOf(index, exactVector(before + text, dimensions), body.encoding_format),
  );
  return replyOf(String(name), entries, tokensIn(texts));
}

function checkedBody(init: RequestInit): Json {
  const body = jsonOf(init);
  if (!body) throw badBody("it is no object"); // remembered
  const unknown = unknownFieldOf(body, FIELDS);
  if (unknown !== undefined) throw badBody(`Argument '${unknown}' is not supported by our API`);
  oneOf(body, "input_type", ["query", "document"]);
  oneOf(body, "output_dtype", ["float", "int8", "uint8", "binary", "ubinary"]);
  oneOf(body, "encoding_format", ["base64"]);
  if (body.truncation !== undefined && typeof body.truncation !== "boolean")
    throw badBody("Argument 'truncation' must be a boolean"); // remembered
  return body;
}

function oneOf(body: Json, name: string, accepted: readonly string[]): void {
  const value = body[name];
  if (value === undefined || value === null || accepted.some((word) => word === value)) return;
  const words = accepted.map((word) => `'${word}'`).join(" or ");
  throw badBody(
    `Value '${String(value)}' supplied for argument '${name}' is not valid -- accepted values are ${words}`,
  );
}

function textsOf(input: unknown, name: string, model: Model, truncates: boolean): readonly string[] {
  const texts = typeof input === "string" ? [input] : input;
  if (!isTexts(texts) || texts.length === 0)
    throw badBody("Argument 'input' must be a string or a list of strings"); // remembered
  if (texts.length > TEXTS_MAX)
    throw refusal(400, `The batch size limit is ${TEXTS_MAX}. Your batch size is ${texts.length}.`); // remembered
  if (texts.includes("")) throw badBody("Input cannot contain empty strings or empty lists"); // remembered
  const fitting = texts.map((text, place) => {
    if (tokensOf(text) <= model.tokens) return text;
    if (truncates) return firstTokens(text, model.tokens);
    throw refusal(
      400,
      `Request to model '${name}' failed. The example at index ${place} in your batch has too many tokens and does not fit into the model's context window of ${model.tokens} tokens. Please lower the number of tokens in the listed example(s) or use truncation.`,
    );
  });
  const tokens = tokensIn(fitting);
  if (tokens <= model.batchTokens) return fitting;
  throw refusal(
    400,
    `Request to model '${name}' failed. The max allowed tokens per submitted batch is ${model.batchTokens}. Your batch has ${tokens} tokens after truncation. Please lower the number of tokens in the batch.`,
  );
}

function dimensionsOf(asked: unknown, name: string, { sizes }: Model): number {
  const [own = 0] = sizes;
  if (asked === undefined || asked === null) return own;
  const size = sizes.find((known) => known === asked);
  if (size !== undefined) return size;
  throw badBody(
    `Value '${String(asked)}' supplied for argument 'output_dimension' is not valid for '${name}'`,
  ); // remembered
}

/** Only `total_tokens`. */
function replyOf(model: string, entries: readonly Entry[], tokens: number): object {
  const data = entries.map(({ index, embedding }) => ({ object: "embedding", embedding, index }));
  return { object: "list", data, model, usage: { total_tokens: tokens } };
}
