/**
 * OpenAI's embeddings wire, as strict as OpenAI: what it is known to refuse is refused here, with its messages, and nothing is ignored.
 * Sources: openai/openai-openapi (CreateEmbeddingRequest), recordings in envoyproxy/ai-gateway tests/internal/testopenai/cassettes,
 * OpenDataBox/CrackSQL#27 for the limit of a request. Messages marked "remembered" have no public recording: only their status is checked.
 */
import { countTokens, decode } from "gpt-tokenizer/encoding/cl100k_base";
import { exactVector } from "../../../plugins/fake";
import type { IndexedVector } from "../../../src/plugin";
import type { Vendor } from "../conformance";

export const OPENAI_KEY = "sk-proj-Zx81_qLm-4tTfakeT3BlbkFJ90aVbNcQ";
const INPUTS_MAX = 2048;
const INPUT_TOKENS_MAX = 8192;
const REQUEST_TOKENS_MAX = 300_000;

interface Model {
  readonly dimensions: number;
  readonly shortens: boolean;
  readonly replyName: string;
}

const MODELS: Readonly<Record<string, Model>> = {
  "text-embedding-3-small": { dimensions: 1536, shortens: true, replyName: "text-embedding-3-small" },
  "text-embedding-3-large": { dimensions: 3072, shortens: true, replyName: "text-embedding-3-large" },
  "text-embedding-ada-002": { dimensions: 1536, shortens: false, replyName: "text-embedding-ada-002-v2" },
};
/** CreateEmbeddingRequest has additionalProperties: false. */
const FIELDS = ["input", "model", "encoding_format", "dimensions", "user"];

class Refusal extends Error {
  constructor(
    readonly status: number,
    message: string,
    readonly code: string | null = null,
    readonly type = "invalid_request_error",
  ) {
    super(message);
  }
}

/** The fake, answering as `model`; other models of OpenAI's are answered too. */
export function openaiVendor(model = "text-embedding-3-small"): Vendor {
  const vectorOf = (text: string) => exactVector(text, MODELS[model]?.dimensions ?? 0);
  return {
    fetch: async (url, init) => respond(url, init),
    vectorOf,
    tokensOf: (texts) => texts.reduce((sum, text) => sum + countTokens(text), 0),
    replyBody: (vectors) => replyBody(model, vectors.map(floatsOf), 5),
    errorBody: (message) => errorBody(new Refusal(400, message)),
    indexed: true,
  };
}

function respond(url: string, init: RequestInit): Response {
  try {
    return answer(url, init);
  } catch (thrown) {
    if (!(thrown instanceof Refusal)) throw thrown;
    return new Response(errorBody(thrown), { status: thrown.status, headers: responseHeaders() });
  }
}

function answer(url: string, init: RequestInit): Response {
  const { pathname, origin } = new URL(url);
  if (origin !== "https://api.openai.com" || pathname !== "/v1/embeddings")
    throw new Refusal(404, `Invalid URL (${init.method} ${pathname})`);
  if (init.method !== "POST") throw new Refusal(405, `Not allowed to ${init.method} on /v1/embeddings.`);
  authorize(new Headers(init.headers));
  const body = parse(init);
  for (const field of Object.keys(body)) {
    if (!FIELDS.includes(field)) throw new Refusal(400, `Unrecognized request argument supplied: ${field}`);
  }
  const model = modelOf(body.model);
  const dimensions = dimensionsOf(body.dimensions, model);
  const format = formatOf(body.encoding_format);
  if (body.user !== undefined && typeof body.user !== "string")
    throw new Refusal(400, `${JSON.stringify(body.user)} is not of type 'string' - 'user'`);
  const texts = textsOf(body.input);
  const tokens = checkedTokens(texts);
  const entries = texts.map(({ text }, index) => entryOf(index, exactVector(text, dimensions), format));
  return new Response(replyBody(model.replyName, entries, tokens), {
    headers: { ...responseHeaders(), "openai-model": model.replyName },
  });
}

function authorize(headers: Headers): void {
  const given = headers.get("authorization");
  const key = /^Bearer (\S+)$/.exec(given ?? "")?.[1];
  if (key === undefined) {
    throw new Refusal(
      401,
      "You didn't provide an API key. You need to provide your API key in an Authorization header using Bearer auth (i.e. Authorization: Bearer YOUR_KEY).",
    );
  }
  if (key !== OPENAI_KEY) {
    const shown = `${key.slice(0, 8)}***${key.slice(-4)}`;
    throw new Refusal(
      401,
      `Incorrect API key provided: ${shown}. You can find your API key at https://platform.openai.com/account/api-keys.`,
      "invalid_api_key",
    );
  }
}

function parse(init: RequestInit): Record<string, unknown> {
  const unreadable = "We could not parse the JSON body of your request."; // remembered
  if (!/^application\/json\b/.test(new Headers(init.headers).get("content-type") ?? ""))
    throw new Refusal(400, unreadable);
  try {
    const body: unknown = JSON.parse(String(init.body));
    if (isRecord(body)) return body;
  } catch (cause) {
    if (!(cause instanceof SyntaxError)) throw cause;
  }
  throw new Refusal(400, unreadable);
}

function modelOf(name: unknown): Model {
  if (typeof name !== "string") throw new Refusal(400, "you must provide a model parameter");
  const model = MODELS[name];
  if (model) return model;
  throw new Refusal(
    404,
    `The model \`${name}\` does not exist or you do not have access to it.`,
    "model_not_found",
  );
}

function dimensionsOf(asked: unknown, model: Model): number {
  if (asked === undefined) return model.dimensions;
  if (typeof asked !== "number" || !Number.isInteger(asked))
    throw new Refusal(400, `${JSON.stringify(asked)} is not of type 'integer' - 'dimensions'`);
  if (asked < 1) throw new Refusal(400, `${asked} is less than the minimum of 1 - 'dimensions'`);
  if (!model.shortens) throw new Refusal(400, "This model does not support specifying dimensions."); // remembered
  if (asked > model.dimensions) {
    throw new Refusal(
      400,
      `Invalid value for 'dimensions' = ${asked}. Must be less than or equal to ${model.dimensions}.`, // remembered
    );
  }
  return asked;
}

function formatOf(asked: unknown): "float" | "base64" {
  if (asked === undefined || asked === "float") return "float";
  if (asked === "base64") return "base64";
  throw new Refusal(400, `${JSON.stringify(asked)} is not one of ['float', 'base64'] - 'encoding_format'`);
}

interface Text {
  readonly text: string;
  readonly tokens: number;
}

/** string | string[] | integer[] | integer[][]; ids stand for the text that they decode to, and have its vector. */
function textsOf(input: unknown): readonly Text[] {
  const invalid =
    "'$.input' is invalid. Please check the API reference: https://platform.openai.com/docs/api-reference.";
  if (typeof input === "string") return [textOf(input, invalid)];
  if (!Array.isArray(input) || input.length === 0) throw new Refusal(400, invalid);
  const list: readonly unknown[] = isIds(input) ? [input] : input;
  if (input.length > INPUTS_MAX) {
    throw new Refusal(
      400,
      `Invalid 'input': array too long. Expected an array with maximum length ${INPUTS_MAX}, but got an array with length ${input.length} instead.`, // remembered
      "array_above_max_length",
    );
  }
  if (!list.every((entry) => typeof entry === typeof list[0])) throw new Refusal(400, invalid);
  return list.map((entry) => textOf(entry, invalid));
}

function textOf(entry: unknown, invalid: string): Text {
  if (typeof entry === "string" && entry !== "") return { text: entry, tokens: countTokens(entry) };
  if (Array.isArray(entry) && entry.length > 0 && isIds(entry))
    return { text: decode(entry), tokens: entry.length };
  throw new Refusal(400, invalid);
}

function checkedTokens(texts: readonly Text[]): number {
  let sum = 0;
  for (const { tokens } of texts) {
    if (tokens > INPUT_TOKENS_MAX) {
      throw new Refusal(
        400,
        `This model's maximum context length is ${INPUT_TOKENS_MAX} tokens, however you requested ${tokens} tokens (${tokens} in your prompt; 0 for the completion). Please reduce your prompt; or completion length.`,
      );
    }
    sum += tokens;
  }
  if (sum <= REQUEST_TOKENS_MAX) return sum;
  const code = "max_tokens_per_request";
  throw new Refusal(400, `Requested ${sum} tokens, max ${REQUEST_TOKENS_MAX} tokens per request`, code, code);
}

const isIds = (value: readonly unknown[]): value is readonly number[] =>
  value.every((id) => typeof id === "number" && Number.isInteger(id) && id >= 0);

const isRecord = (value: unknown): value is Record<string, unknown> =>
  typeof value === "object" && value !== null && !Array.isArray(value);

export interface Entry {
  readonly index: number;
  readonly embedding: string | readonly number[];
}

const floatsOf = ({ index, values }: IndexedVector): Entry => ({ index, embedding: [...values] });

/** Little-endian float32, as x86 and ARM keep it. */
export function base64Of(values: Float32Array): string {
  return new Uint8Array(values.buffer, values.byteOffset, values.byteLength).toBase64();
}

/** @param encoding whatever is not base64 means numbers */
export const entryOf = (index: number, values: Float32Array, encoding: unknown): Entry => ({
  index,
  embedding: encoding === "base64" ? base64Of(values) : [...values],
});

function replyBody(model: string, entries: readonly Entry[], tokens: number): string {
  const data = entries.map(({ index, embedding }) => ({ object: "embedding", index, embedding }));
  return JSON.stringify({
    object: "list",
    data,
    model,
    usage: { prompt_tokens: tokens, total_tokens: tokens },
  });
}

/** All four keys are required, `param` and `code` nullable. */
function errorBody({ message, type, code }: Refusal): string {
  return JSON.stringify({ error: { message, type, param: null, code } }, null, 2);
}

/** As on success and on 400 in the recordings. */
function responseHeaders(): Record<string, string> {
  return {
    "content-type": "application/json",
    "x-request-id": "req_9f1c2b7a5d3e4f60",
    "openai-version": "2020-10-01",
    "openai-processing-ms": "42",
    "openai-organization": "user-fake",
    "x-ratelimit-limit-requests": "3000",
    "x-ratelimit-remaining-requests": "2999",
    "x-ratelimit-reset-requests": "20ms",
    "access-control-expose-headers": "X-Request-ID",
  };
}
