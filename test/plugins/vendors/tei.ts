/**
 * Text Embeddings Inference's /embed with the limits that it starts with: 32 inputs, 2,000,000 bytes, the model's tokens.
 * Sources: huggingface/text-embeddings-inference, router/src/http/server.rs (embed, ErrorType → StatusCode), types.rs (EmbedRequest),
 * core/src/tokenization.rs. A token is a word here, so that a test can say what is too long. "remembered": messages without a public source.
 */
import { exactVector } from "../../../plugins/fake";
import type { Vendor } from "../conformance";
import { firstTokens, tokensIn, tokensOf } from "./word-tokens";

export const TEI_KEY = "tei-9c41f0d27ab34e";
const DIMENSIONS = 1024;
const TOKENS_MAX = 512;
const INPUTS_MAX = 32;
const PAYLOAD_BYTES_MAX = 2_000_000;
const PROMPTS = ["query", "document", "similarity", "classification", "clustering", "passage"];
/** serde ignores every other field silently, and a test must see it. */
const FIELDS = ["inputs", "truncate", "truncation_direction", "prompt_name", "normalize", "dimensions"];

class Refusal extends Error {
  constructor(
    readonly status: number,
    message: string,
    readonly type = "validation",
  ) {
    super(message);
  }
}

/** @param validation what a wrong request is answered with: 422 in some versions, 413 in others */
export function teiVendor(validation = 422): Vendor {
  return {
    fetch: async (url, init) => respond(url, init, validation),
    vectorOf: (text) => exactVector(text, DIMENSIONS),
    tokensOf: tokensIn,
    replyBody: (vectors) => JSON.stringify(vectors.map(({ values }) => [...values])),
    errorBody: (message) => JSON.stringify({ error: message, error_type: "validation" }),
    indexed: false,
  };
}

function respond(url: string, init: RequestInit, validation: number): Response {
  const headers = { "content-type": "application/json" };
  const { host, pathname } = new URL(url);
  if (host !== "localhost:8080" || pathname !== "/embed") return new Response(null, { status: 404 });
  if (init.method !== "POST") return new Response(null, { status: 405 });
  // The middleware answers a bare status.
  if (new Headers(init.headers).get("authorization") !== `Bearer ${TEI_KEY}`)
    return new Response(null, { status: 401 });
  const text = String(init.body);
  if (Buffer.byteLength(text) > PAYLOAD_BYTES_MAX)
    return new Response("Failed to buffer the request body: length limit exceeded", { status: 413 });
  try {
    const { vectors, tokens } = answer(JSON.parse(text), validation);
    return new Response(JSON.stringify(vectors), {
      headers: { ...headers, "x-compute-type": "gpu+optimized", "x-compute-tokens": String(tokens) },
    });
  } catch (thrown) {
    if (!(thrown instanceof Refusal)) throw thrown;
    const { status, message, type } = thrown;
    return new Response(JSON.stringify({ error: message, error_type: type }), { status, headers });
  }
}

function answer(body: Readonly<Record<string, unknown>>, validation: number) {
  const unknown = Object.keys(body).find((key) => !FIELDS.includes(key));
  if (unknown !== undefined) throw new Error(`TEI would pass over '${unknown}'.`);
  const { inputs, truncate = true, prompt_name, dimensions = DIMENSIONS } = body;
  const list: unknown = typeof inputs === "string" ? [inputs] : inputs;
  // serde's word for it
  if (!Array.isArray(list) || list.length === 0) throw new Refusal(validation, "`inputs` cannot be empty"); // for an empty list
  if (list.length > INPUTS_MAX)
    throw new Refusal(validation, `batch size ${list.length} > maximum allowed batch size ${INPUTS_MAX}`);
  if (prompt_name !== undefined && (typeof prompt_name !== "string" || !PROMPTS.includes(prompt_name)))
    throw new Refusal(validation, `\`prompt_name\` ${prompt_name} is not found in the prompts`); // remembered
  if (typeof dimensions !== "number" || dimensions < 1 || dimensions > DIMENSIONS)
    throw new Refusal(validation, "`dimensions` should be positive and at most the model's size"); // remembered
  const kept = list.map((input: unknown) => keptOf(textOf(input, validation), truncate === true, validation));
  const before = prompt_name === undefined ? "" : `${prompt_name}: `;
  return {
    vectors: kept.map((text) => [...exactVector(before + text, dimensions)]),
    tokens: tokensIn(kept),
  };
}

/** Ids are decoded and encoded again (tokenize_input). */
function textOf(input: unknown, validation: number): string {
  if (Array.isArray(input)) return input.map((id) => `id${id}`).join(" ");
  if (typeof input !== "string")
    throw new Refusal(validation, "data did not match any variant of untagged enum Input"); // remembered
  if (input === "") throw new Refusal(validation, "`inputs` cannot be empty");
  return input;
}

function keptOf(text: string, cuts: boolean, validation: number): string {
  const tokens = tokensOf(text);
  if (tokens <= TOKENS_MAX) return text;
  if (cuts) return firstTokens(text, TOKENS_MAX);
  throw new Refusal(validation, `\`inputs\` must have less than ${TOKENS_MAX} tokens. Given: ${tokens}`);
}
