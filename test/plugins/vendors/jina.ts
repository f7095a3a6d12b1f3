/**
 * Jina AI's embeddings endpoint, as strict as its specification: each model with its own fields, tasks and sizes, error codes in both of the
 * shapes that were seen, and late chunking, in which every vector depends on all inputs.
 * Sources: tryAGI/Jina (src/libs/Jina/openapi.json), langgenius/dify-official-plugins#1997. Messages marked "remembered" have no public
 * recording: only their status is checked.
 */
import { exactVector } from "../../../plugins/fake";
import type { Vendor } from "../conformance";
import { type Entry, entryOf } from "./openai-wire";
import { bearerOf, isTexts, type Json, jsonOf, Refusal, strictVendor, unknownFieldOf } from "./strict";
import { firstTokens, tokensIn, tokensOf } from "./word-tokens";

export const JINA_KEY = "jina_0kq7Rr2Lx4Zc9Vb1Nm3Qw5Et7Yu9IoP0aS2dF4gHjKl6Zx8Cv0Bn2Mq4We6Rt";
const TEXTS_MAX = 512;

interface Model {
  readonly dimensions: number;
  readonly tokens: number;
  readonly tasks: readonly string[];
  readonly fields: readonly string[];
}

const FIELDS = ["model", "input", "embedding_type", "truncate"];
const RETRIEVAL = ["retrieval.query", "retrieval.passage"];
const MODELS: Readonly<Record<string, Model>> = {
  "jina-embeddings-v5-text-small": {
    dimensions: 1024,
    tokens: 32_768,
    tasks: [...RETRIEVAL, "text-matching", "clustering", "classification"],
    fields: [...FIELDS, "dimensions", "normalized", "task"],
  },
  "jina-embeddings-v4": {
    dimensions: 2048,
    tokens: 32_768,
    tasks: [...RETRIEVAL, "text-matching", "code.query", "code.passage"],
    fields: [
      ...FIELDS,
      "dimensions",
      "late_chunking",
      "return_multivector",
      "return_tokenized_input",
      "task",
    ],
  },
  "jina-embeddings-v3": {
    dimensions: 1024,
    tokens: 8192,
    tasks: [...RETRIEVAL, "text-matching", "classification", "separation"],
    fields: [...FIELDS, "dimensions", "late_chunking", "normalized", "task"],
  },
  "jina-code-embeddings-1.5b": {
    dimensions: 1536,
    tokens: 32_768,
    tasks: ["nl2code", "qa", "code2code", "code2nl", "code2completion"].flatMap((kind) => [
      `${kind}.query`,
      `${kind}.passage`,
    ]),
    fields: [...FIELDS, "dimensions", "task"],
  },
  "jina-embeddings-v2-base-en": {
    dimensions: 768,
    tokens: 8192,
    tasks: [],
    fields: [...FIELDS, "normalized"],
  },
};

const request_id = "03f58cd9da22fabf";
const refusal = (status: number, code: string, detail: string) =>
  new Refusal(status, { detail, code, request_id });
const unprocessable = (words: string) =>
  new Refusal(422, { detail: `[RID: ${request_id}] Validation error: ${words}` });

export function jinaVendor(model = "jina-embeddings-v3"): Vendor {
  return strictVendor({
    answer,
    vectorOf: (text) => exactVector(text, MODELS[model]?.dimensions ?? 0),
    reply: (entries) => replyOf(model, entries, 5),
    error: (message) => ({ detail: message, request_id }),
    indexed: true,
  });
}

function answer(url: string, init: RequestInit): object {
  if (url !== "https://api.jina.ai/v1/embeddings" || init.method !== "POST")
    throw new Refusal(404, { detail: "Not Found" });
  const key = bearerOf(init);
  const where = "at https://jina.ai/api-dashboard/key-manager";
  if (key === undefined)
    throw refusal(401, "AUTH_MISSING_API_KEY", `Authentication required. Get your API key ${where}.`);
  if (key !== JINA_KEY)
    throw refusal(401, "AUTH_INVALID_API_KEY", `Invalid API key. Verify your API key ${where}.`);
  const body = jsonOf(init);
  if (!body) throw unprocessable("'body' Input should be an object"); // remembered
  const { model: name } = body;
  const model = typeof name === "string" ? MODELS[name] : undefined;
  if (!model) {
    const known = Object.keys(MODELS).join(", ");
    throw refusal(
      400,
      "INPUT_MODEL_NOT_FOUND",
      `Model '${String(name)}' not found. Available models: ${known}.`,
    );
  }
  const place = `'body -> ${String(name)}'`;
  const unknown = unknownFieldOf(body, model.fields);
  if (unknown !== undefined) throw unprocessable(`${place} ${unknown}: Extra inputs are not permitted.`); // remembered
  const { task, embedding_type = "float" } = body;
  if (task !== undefined && !model.tasks.some((word) => word === task))
    throw unprocessable(`${place} task: Input should be ${model.tasks.join(", ")}.`); // remembered
  if (embedding_type !== "float" && embedding_type !== "base64")
    throw unprocessable(`${place} embedding_type: Invalid value.`); // remembered
  const texts = textsOf(body, place, model);
  const dimensions = dimensionsOf(body.dimensions, model, place);
  const before = [
    ...(task === undefined ? [] : [String(task)]),
    ...(body.late_chunking === true ? texts : []),
  ];
  const entries = texts.map((text, index) => {
    const values = exactVector([...before, text].join(": "), dimensions);
    const scaled = body.normalized === false ? values.map((value) => value * 3) : values;
    return entryOf(index, scaled, embedding_type);
  });
  return replyOf(String(name), entries, tokensIn(texts));
}

function textsOf(body: Json, place: string, model: Model): readonly string[] {
  const { input } = body;
  const texts = typeof input === "string" ? [input] : input;
  if (!isTexts(texts) || texts.length === 0)
    throw unprocessable(`${place} input: Input should be a valid string or list.`); // remembered
  if (texts.length > TEXTS_MAX) {
    throw unprocessable(
      `${place} Each input list can contain at most ${TEXTS_MAX} items.. Field errors: : Invalid value`,
    );
  }
  if (texts.includes("")) throw unprocessable(`${place} input: Input cannot be empty.`); // remembered
  const isTooLong =
    body.late_chunking === true
      ? tokensIn(texts) > model.tokens
      : texts.some((text) => tokensOf(text) > model.tokens);
  if (!isTooLong) return texts;
  if (body.truncate === true) return texts.map((text) => firstTokens(text, model.tokens));
  const message = `Input text exceeds the model's maximum of ${model.tokens} tokens. Use 'truncate: true' to automatically truncate, or split into smaller chunks.`;
  throw new Refusal(400, { detail: { message, request_id, code: "INPUT_TOKEN_LIMIT_EXCEEDED" } });
}

function dimensionsOf(asked: unknown, { dimensions }: Model, place: string): number {
  if (asked === undefined || asked === null) return dimensions;
  if (typeof asked === "number" && Number.isInteger(asked) && asked > 0 && asked <= dimensions) return asked;
  throw unprocessable(`${place} dimensions: Input should be less than or equal to ${dimensions}.`); // remembered
}

function replyOf(model: string, entries: readonly Entry[], tokens: number): object {
  const data = entries.map(({ index, embedding }) => ({ object: "embedding", index, embedding }));
  return { model, object: "list", usage: { total_tokens: tokens }, data };
}
