/**
 * Google's embedding models on Vertex AI. Dimensions and limits: cloud.google.com/vertex-ai/generative-ai/docs/embeddings/get-text-embeddings;
 * prices: …/generative-ai/pricing; ends of life: LiteLLM 1.109.1's list. A new model is an entry of MODELS.
 */
import type { KnownFacts } from "../../domain/facts";
import type { CatalogueEntry } from "./entry";

const VERTEX = {
  // Its vocabularies are not published (it refuses or truncates by its own count), and its API accepts only texts.
  token_ids: "decode",
  wire_encoding: "float",
} as const satisfies KnownFacts;

const TEXT: KnownFacts = {
  // "For each request, you're limited to 250 input texts for non-Gemini models" (vercel/ai#19952).
  max_inputs: 250,
  // "The API has a maximum input token limit of 20,000. Inputs exceeding this limit result in a 400 error."
  max_call_tokens: 20_000,
  dimensions: 768,
  // "Output Dimensions: up to 768"
  dimensions_allowed: { min: 1, max: 768 },
  // "Each individual input text is further limited to 2048 tokens".
  max_input_tokens: 2048,
  // "The vectors are normalized"; for shortened ones nothing is documented.
  normalized: true,
  // 0.000025 USD for 1,000 characters, with about four characters per token.
  price: 0.1,
};

const GEMINI: KnownFacts = {
  // "… and a single input text for Gemini Embedding models" (mem0ai/mem0#6189).
  max_inputs: 1,
  dimensions: 3072,
  // The same as in the Gemini API: ai.google.dev/gemini-api/docs/embeddings
  dimensions_allowed: { min: 128, max: 3072 },
};

interface Model {
  readonly facts: KnownFacts;
  /** The Gemini API has the identical model. */
  readonly isThere?: true;
}

const MODELS: Readonly<Record<string, Model>> = {
  // Still served here, although the Gemini API has shut it down.
  "text-embedding-004": { isThere: true, facts: { ...TEXT, end_of_life: "2027-04-01" } },
  "text-embedding-005": { facts: { ...TEXT, end_of_life: "2027-04-01" } },
  "text-multilingual-embedding-002": { facts: { ...TEXT, end_of_life: "2027-04-01" } },
  "gemini-embedding-001": {
    isThere: true,
    facts: {
      ...GEMINI,
      max_input_tokens: 2048,
      // "The 3072 dimension embedding is normalized … for other dimensions you need to normalize": ai.google.dev/gemini-api/docs/embeddings
      normalized: true,
      price: 0.15,
      end_of_life: "2028-05-20",
    },
  },
  "gemini-embedding-2": {
    isThere: true,
    facts: {
      ...GEMINI,
      max_input_tokens: 8192,
      // "gemini-embedding-2 auto-normalizes truncated dimensions": the same page.
      normalized: true,
      price: 0.2,
    },
  },
};

export const VERTEX_MODELS: readonly CatalogueEntry[] = Object.entries(MODELS).map(
  ([model, { facts, isThere }]) => {
    const names = [`google/${model}`, `publishers/google/models/${model}`];
    return {
      plugin: "vertex",
      model,
      written_as: names,
      ...(isThere && { same_as: model }),
      // The names of a model of the Gemini API belong to that entry.
      facts: { ...VERTEX, ...facts, reply_names: isThere ? [`google/${model}`] : names },
    };
  },
);
