/**
 * OpenRouter's embeddings wire as its specification has it, with what was seen of it: no index, base64 answered with nothing, the words
 * of the provider behind it in `metadata.raw`.
 * Sources: OpenRouterTeam/typescript-sdk 1.3.19; plastic-labs/honcho#932; tinyhumansai/openhuman#4045; Alishahryar1/free-claude-code#772.
 */
import { countTokens } from "gpt-tokenizer/encoding/cl100k_base";
import { exactVector } from "../../../plugins/fake";
import type { IndexedVector } from "../../../src/plugin";
import type { Vendor } from "../conformance";

export const OPENROUTER_KEY = "sk-or-v1-0f1e2d3c4b5a69788796a5b4c3d2e1f00f1e2d3c4b5a6978";

/** Dimensions, and what a token costs in USD. */
const MODELS: Readonly<Record<string, { readonly dimensions: number; readonly price: number }>> = {
  "openai/text-embedding-3-small": { dimensions: 1536, price: 2e-8 },
  "openai/text-embedding-3-large": { dimensions: 3072, price: 1.3e-7 },
  "openai/text-embedding-ada-002": { dimensions: 1536, price: 1e-7 },
};
const FIELDS = [
  "model",
  "input",
  "dimensions",
  "encoding_format",
  "input_type",
  "provider",
  "session_id",
  "trace",
  "user",
];
const ROUTING = [
  "allow_fallbacks",
  "data_collection",
  "enforce_distillable_text",
  "ignore",
  "max_price",
  "only",
  "order",
  "preferred_max_latency",
  "preferred_min_throughput",
  "quantizations",
  "require_parameters",
  "sort",
  "zdr",
];

class Refusal extends Error {
  constructor(
    readonly status: number,
    message: string,
    readonly metadata?: Readonly<Record<string, unknown>>,
  ) {
    super(message);
  }
}

/** OpenAI's error, as OpenRouter passes it on. */
const ofOpenai = (message: string, code: string | null = null) =>
  new Refusal(400, "Provider returned error", {
    raw: JSON.stringify({ error: { message, type: "invalid_request_error", param: null, code } }, null, 2),
    provider_name: "OpenAI",
  });

export function openrouterVendor(model = "openai/text-embedding-3-small"): Vendor {
  const vectorOf = (text: string) => exactVector(text, MODELS[model]?.dimensions ?? 0);
  return {
    fetch: async (url, init) => respond(url, init),
    vectorOf,
    tokensOf: (texts) => texts.reduce((sum, text) => sum + countTokens(text), 0),
    replyBody: (vectors) => replyBody(model, vectors, 5),
    errorBody: (message) => errorBody(new Refusal(400, message)),
    // Its specification makes `index` optional: here it is never said.
    indexed: false,
  };
}

function respond(url: string, init: RequestInit): Response {
  const headers = { "content-type": "application/json" };
  try {
    return new Response(answer(url, init), { headers });
  } catch (thrown) {
    if (!(thrown instanceof Refusal)) throw thrown;
    return new Response(errorBody(thrown), { status: thrown.status, headers });
  }
}

function answer(url: string, init: RequestInit): string {
  if (url !== "https://openrouter.ai/api/v1/embeddings" || init.method !== "POST")
    throw new Refusal(404, "Not Found");
  const key = /^Bearer (\S+)$/.exec(new Headers(init.headers).get("authorization") ?? "")?.[1];
  if (key === undefined) throw new Refusal(401, "No auth credentials found");
  if (key !== OPENROUTER_KEY) throw new Refusal(401, "User not found.");
  const body: unknown = JSON.parse(String(init.body));
  if (!isRecord(body)) throw new Refusal(400, "Invalid JSON in request body");
  refuseUnknown(body, FIELDS, "");
  if (body.provider !== undefined && body.provider !== null) {
    if (!isRecord(body.provider)) throw new Refusal(400, "provider: Expected object");
    refuseUnknown(body.provider, ROUTING, "provider.");
  }
  if (typeof body.model !== "string") throw new Refusal(400, "model: Required");
  const model = MODELS[body.model];
  if (!model) throw new Refusal(400, `Model ${body.model} does not exist`);
  const texts = textsOf(body.input);
  const dimensions = dimensionsOf(body.dimensions, body.model, model.dimensions);
  const tokens = checkedTokens(texts);
  const vectors = texts.map((text, index) => ({ index, values: exactVector(text, dimensions) }));
  // honcho#932: 200, and nothing in it.
  return replyBody(body.model, body.encoding_format === "base64" ? [] : vectors, tokens, model.price);
}

function refuseUnknown(record: object, known: readonly string[], before: string): void {
  const unknown = Object.keys(record).find((key) => !known.includes(key));
  if (unknown !== undefined) throw new Refusal(400, `Unrecognized key(s) in object: '${before}${unknown}'`);
}

function textsOf(input: unknown): readonly string[] {
  if (typeof input === "string") return [input];
  if (!Array.isArray(input) || input.length === 0) throw new Refusal(400, "input: Invalid input");
  return input.map((entry: unknown) => {
    if (typeof entry !== "string") throw new Refusal(400, "input: Invalid input");
    if (entry === "") throw ofOpenai("'$.input' is invalid. Please check the API reference.");
    return entry;
  });
}

function dimensionsOf(asked: unknown, name: string, own: number): number {
  if (asked === undefined) return own;
  if (typeof asked !== "number" || !Number.isInteger(asked) || asked < 1)
    throw new Refusal(400, "dimensions: Number must be greater than 0");
  // Parameters that the provider does not know are dropped, unless `require_parameters` says otherwise.
  if (name.endsWith("ada-002")) return own;
  if (asked > own) throw ofOpenai(`Invalid value for 'dimensions' = ${asked}.`);
  return asked;
}

function checkedTokens(texts: readonly string[]): number {
  let sum = 0;
  for (const [place, text] of texts.entries()) {
    const tokens = countTokens(text);
    if (tokens > 8192) throw ofOpenai(`Invalid 'input[${place}]': maximum input length is 8192 tokens.`);
    sum += tokens;
  }
  if (sum > 300_000) {
    throw ofOpenai(`Requested ${sum} tokens, max 300000 tokens per request`, "max_tokens_per_request");
  }
  return sum;
}

const isRecord = (value: unknown): value is Record<string, unknown> =>
  typeof value === "object" && value !== null && !Array.isArray(value);

function replyBody(model: string, vectors: readonly IndexedVector[], tokens: number, price = 2e-8): string {
  const data = vectors.map(({ values }) => ({ object: "embedding", embedding: [...values] }));
  const usage = { prompt_tokens: tokens, total_tokens: tokens, cost: tokens * price, is_byok: false };
  return JSON.stringify({ id: "gen-emb-1790000000-x", object: "list", model, data, usage });
}

/** `user_id` is beside the error: it belongs to the account, and must not be shown to others. */
function errorBody({ status, message, metadata }: Refusal): string {
  return JSON.stringify({ error: { message, code: status, metadata }, user_id: "user_2vJpEi3p0l05bI4nog" });
}
