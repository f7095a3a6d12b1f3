/**
 * Mistral AI's embeddings endpoint, as strict as Mistral: a field that it does not know, 257 texts, more than 65,536 tokens in all or
 * 8,192 in one are refused with its messages.
 * Sources: mistralai/platform-docs-public (openapi.yaml, additionalProperties: false), garrytan/gbrain#3001, chroma-core/chroma#5597,
 * raphaelmansuy/edgequake-llm#74, BerriAI/litellm#3725. Messages marked "remembered" have no public recording: only their status is checked.
 */
import { exactVector } from "../../../plugins/fake";
import type { Vendor } from "../conformance";
import { type Entry, entryOf } from "./openai-wire";
import { bearerOf, isTexts, type Json, jsonOf, Refusal, strictVendor, unknownFieldOf } from "./strict";
import { tokensIn, tokensOf } from "./word-tokens";

export const MISTRAL_KEY = "Zc9Vb1Nm3Qw5Et7Yu9IoP0aS2dF4gHjk";
const TEXTS_MAX = 256;
const TOKENS_MAX = 8192;
const CALL_TOKENS_MAX = 65_536;

interface Model {
  readonly dimensions: number;
  /** 0: `output_dimension` is refused. */
  readonly dimensionsMax: number;
}

const MODELS: Readonly<Record<string, Model>> = {
  "mistral-embed": { dimensions: 1024, dimensionsMax: 0 },
  "codestral-embed": { dimensions: 1536, dimensionsMax: 3072 },
};
const FIELDS = ["model", "metadata", "input", "output_dimension", "output_dtype", "encoding_format"];

const refusal = (message: unknown, type: string, code: string | null = null, status = 400) =>
  new Refusal(status, { object: "error", message, type, param: null, code });
const unprocessable = (type: string, name: string, msg: string, input: unknown) =>
  refusal(
    { detail: [{ type, loc: ["body", name], msg, input }] },
    "invalid_request_error",
    null,
    type === "extra_forbidden" ? 400 : 422,
  );

export function mistralVendor(model = "mistral-embed"): Vendor {
  return strictVendor({
    answer,
    vectorOf: (text) => exactVector(text, MODELS[model]?.dimensions ?? 0),
    reply: (entries) => replyOf(model, entries, 5),
    error: (message) => ({
      object: "error",
      message,
      type: "invalid_request_error",
      param: null,
      code: null,
    }),
    indexed: true,
  });
}

function answer(url: string, init: RequestInit): object {
  if (url !== "https://api.mistral.ai/v1/embeddings" || init.method !== "POST")
    throw new Refusal(404, { message: "no Route matched with those values" });
  if (bearerOf(init) !== MISTRAL_KEY) throw new Refusal(401, { detail: "Unauthorized" });
  const body = jsonOf(init);
  if (!body) throw unprocessable("model_attributes_type", "", "Input should be a valid dictionary", null);
  const unknown = unknownFieldOf(body, FIELDS);
  if (unknown !== undefined)
    throw unprocessable("extra_forbidden", unknown, "Extra inputs are not permitted", body[unknown]);
  const { model: name, encoding_format = "float", output_dtype = "float" } = body;
  const model = typeof name === "string" ? MODELS[name.replace(/-\d{4}$/, "")] : undefined;
  if (!model) throw refusal(`Invalid model: ${String(name)}`, "invalid_model", "1500"); // remembered
  if (encoding_format !== "float" && encoding_format !== "base64")
    throw unprocessable("enum", "encoding_format", "Input should be 'float' or 'base64'", encoding_format);
  if (output_dtype !== "float") throw refusal("Fake: float only", "invalid_request_error"); // remembered
  const dimensions = dimensionsOf(body.output_dimension, model);
  const texts = textsOf(body);
  const entries = texts.map((text, index) => entryOf(index, exactVector(text, dimensions), encoding_format));
  return replyOf(String(name), entries, tokensIn(texts));
}

function textsOf({ input }: Json): readonly string[] {
  const texts = typeof input === "string" ? [input] : input;
  if (!isTexts(texts)) throw unprocessable("string_type", "input", "Input should be a valid string", input);
  if (texts.length === 0 || texts.includes(""))
    throw refusal("Input cannot be empty", "invalid_request_prompt"); // remembered
  const tooMuch = (what: string) =>
    refusal(`Too many ${what}, split into more batches.`, "invalid_request_prompt", "3210");
  if (texts.length > TEXTS_MAX) throw tooMuch("inputs in request");
  const long = texts.findIndex((text) => tokensOf(text) > TOKENS_MAX);
  if (long !== -1) {
    throw refusal(
      `Input id ${long} has ${tokensOf(texts[long] ?? "")} tokens, exceeding max ${TOKENS_MAX} tokens.`,
      "invalid_request_prompt",
    );
  }
  if (tokensIn(texts) > CALL_TOKENS_MAX) throw tooMuch("tokens overall");
  return texts;
}

function dimensionsOf(asked: unknown, { dimensions, dimensionsMax }: Model): number {
  if (asked === undefined || asked === null) return dimensions;
  if (dimensionsMax === 0) {
    throw refusal("This model does not support output_dimension.", "invalid_request_invalid_args", "3051");
  }
  if (typeof asked === "number" && Number.isInteger(asked) && asked > 0 && asked <= dimensionsMax)
    return asked;
  throw refusal("output_dimension is out of range.", "invalid_request_invalid_args"); // remembered
}

/** As EmbeddingResponse and UsageInfo of its specification. */
function replyOf(model: string, entries: readonly Entry[], tokens: number): object {
  const data = entries.map(({ index, embedding }) => ({ object: "embedding", embedding, index }));
  const usage = {
    prompt_audio_seconds: null,
    prompt_tokens: tokens,
    total_tokens: tokens,
    completion_tokens: 0,
  };
  return { id: "26a8d8a4a4d84e0b8e8bf9b7d2a1c5f3", object: "list", data, model, usage };
}
