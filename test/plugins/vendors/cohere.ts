/**
 * Cohere's /v2/embed, as strict as Cohere: no `input_type`, 97 texts, a text too long with `truncate: NONE` are refused with its messages.
 * Sources: cohere-openapi.yaml, docs.cohere.com/reference/errors, misbahsy/RAGTune#2, cohere-ai/cohere-python#590 and #614. Messages marked
 * "remembered" have no public recording: only their status is checked.
 */
import { exactVector } from "../../../plugins/fake";
import type { Vendor } from "../conformance";
import { bearerOf, isTexts, type Json, jsonOf, Refusal, strictVendor, unknownFieldOf } from "./strict";
import { firstTokens, lastTokens, tokensIn, tokensOf } from "./word-tokens";

export const COHERE_KEY = "kq7Rr2Lx4Zc9Vb1Nm3Qw5Et7Yu9IoP0aS2dF4gHj";
const TEXTS_MAX = 96;
const MODELS: Readonly<Record<string, { readonly sizes: readonly number[]; readonly tokens: number }>> = {
  "embed-v5.0-fast": { sizes: [2048, 1536, 1024, 768, 512, 256], tokens: 128_000 },
  "embed-v4.0": { sizes: [1536, 1024, 512, 256], tokens: 128_000 },
  "embed-english-v3.0": { sizes: [1024], tokens: 512 },
  "embed-multilingual-light-v3.0": { sizes: [384], tokens: 512 },
};
const FIELDS = [
  "model",
  "input_type",
  "texts",
  "images",
  "inputs",
  "max_tokens",
  "output_dimension",
  "embedding_types",
  "truncate",
  "priority",
];
const INPUT_TYPES = ["search_document", "search_query", "classification", "clustering", "image"];

const refusal = (status: number, message: string) => new Refusal(status, { id: "7d1c5f2a", message });

export function cohereVendor(model = "embed-english-v3.0"): Vendor {
  return strictVendor({
    answer,
    vectorOf: (text) => exactVector(text, MODELS[model]?.sizes[0] ?? 0),
    reply: (entries) =>
      replyOf(
        [],
        entries.map(({ embedding }) => embedding),
        5,
      ),
    error: (message) => ({ message }),
    indexed: false,
  });
}

function answer(url: string, init: RequestInit): object {
  if (url !== "https://api.cohere.com/v2/embed" || init.method !== "POST")
    throw refusal(404, "page not found"); // remembered
  const key = bearerOf(init);
  if (key === undefined) throw refusal(401, "no api key supplied");
  if (key !== COHERE_KEY) throw refusal(401, "invalid api token");
  const body = jsonOf(init);
  if (!body) throw refusal(400, "invalid request: the body is not JSON"); // remembered
  const unknown = unknownFieldOf(body, FIELDS);
  if (unknown !== undefined) throw refusal(422, `unknown field: parameter '${unknown}' is not a valid field`); // remembered
  if (typeof body.model !== "string") throw refusal(400, "model is required");
  const model = MODELS[body.model];
  if (!model) {
    throw refusal(
      404,
      `model '${body.model}' not found, make sure the correct model ID was used and that you have access to the model.`,
    );
  }
  const { input_type } = body;
  if (!INPUT_TYPES.some((known) => known === input_type))
    throw refusal(400, "invalid request: valid input_type must be provided with the provided model");
  if (!isTexts(body.embedding_types) || body.embedding_types.join() !== "float")
    throw refusal(400, "embedding_types is required for embed models v3 and higher");
  if (body.priority !== undefined && typeof body.priority !== "number")
    throw refusal(400, "invalid request: priority"); // remembered
  const dimensions = dimensionsOf(body.output_dimension, model.sizes);
  const texts = textsOf(body);
  const used = texts.map((text) => cutTo(limitOf(body, model.tokens), text, body.truncate));
  // Each type has vectors of its own; of no type, it is the document's.
  const before = input_type === "search_document" ? "" : `${String(input_type)}: `;
  return replyOf(
    texts,
    used.map((text) => [...exactVector(before + text, dimensions)]),
    tokensIn(used),
  );
}

function textsOf({ texts, images, inputs }: Json): readonly string[] {
  if (images !== undefined || inputs !== undefined)
    throw refusal(400, "invalid request: only one of texts, images and inputs must be provided"); // remembered
  if (!isTexts(texts) || texts.length === 0)
    throw refusal(400, "invalid request: list of texts must not be empty"); // remembered
  if (texts.length > TEXTS_MAX) {
    throw refusal(
      400,
      `invalid request: total number of texts must be at most ${TEXTS_MAX} - received ${texts.length}`,
    );
  }
  if (texts.includes("")) throw refusal(400, "invalid request: texts must be at least 1 token long."); // remembered
  return texts;
}

function dimensionsOf(asked: unknown, sizes: readonly number[]): number {
  const [own = 0] = sizes;
  if (asked === undefined) return own;
  if (sizes.length === 1)
    throw refusal(400, "invalid request: output_dimension is not supported for this model"); // remembered
  const size = sizes.find((known) => known === asked);
  if (size !== undefined) return size;
  throw refusal(400, `invalid request: output_dimension must be one of ${sizes.join(", ")}`); // remembered
}

function limitOf({ max_tokens }: Json, own: number): number {
  return typeof max_tokens === "number" ? Math.min(max_tokens, own) : own;
}

/** "Passing START will discard the start of the input. END will discard the end"; END unless said. */
function cutTo(limit: number, text: string, truncate: unknown = "END"): string {
  const tokens = tokensOf(text);
  if (tokens <= limit) return text;
  if (truncate === "END") return firstTokens(text, limit);
  if (truncate === "START") return lastTokens(text, limit);
  if (truncate !== "NONE") throw refusal(400, "invalid request: invalid truncate value"); // remembered
  throw refusal(
    400,
    `too many tokens: total number of tokens in the text cannot exceed ${limit} - received ${tokens}. Try using a shorter text, or enabling text truncating.`,
  );
}

function replyOf(texts: readonly string[], float: readonly (readonly number[])[], tokens: number): object {
  const meta = { api_version: { version: "2" }, billed_units: { input_tokens: tokens } };
  return {
    id: "da6e531f-54c5-4a73-bf92-f60566d8d753",
    embeddings: { float },
    texts,
    meta,
    response_type: "embeddings_by_type",
  };
}
