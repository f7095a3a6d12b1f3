/**
 * The catalogue of models: this file and those in catalogue/, the only place in src/ that names vendors. Every entry has its source.
 * To add a model, add an entry to its vendor's list; test/config/catalogue.test.ts checks that its figures are plausible.
 */
import type { KnownFacts } from "../domain/facts";
import { azureModels } from "./catalogue/azure";
import { BEDROCK_MODELS } from "./catalogue/bedrock";
import { COHERE_MODELS } from "./catalogue/cohere";
import type { CatalogueEntry } from "./catalogue/entry";
import { JINA_MODELS } from "./catalogue/jina";
import { MISTRAL_MODELS } from "./catalogue/mistral";
import { OPEN_MODELS } from "./catalogue/open-models";
import { VERTEX_MODELS } from "./catalogue/vertex";
import { VOYAGE_MODELS } from "./catalogue/voyage";

/** Facts of all of OpenAI's embedding models: openai/openai-openapi, CreateEmbeddingRequest. */
const OPENAI = {
  // "any array must be 2048 dimensions or less"
  max_inputs: 2048,
  // "8192 tokens for all embedding models"; some price lists say 8191, which was the limit until 2024.
  max_input_tokens: 8192,
  // "a maximum of 300,000 tokens summed across all inputs in a single request"
  max_call_tokens: 300_000,
  // Also for shortened vectors: platform.openai.com/docs/guides/embeddings
  normalized: true,
  // tiktoken's model.py: cl100k_base for all three.
  tokenizer: "cl100k_base",
  // From the same specification: input may be integer[] or integer[][].
  token_ids: "native",
  // Its own SDKs request base64 if the user names no format: openai-python, resources/embeddings.py.
  wire_encoding: "base64",
} as const satisfies KnownFacts;

const LOCAL_MODELS: readonly CatalogueEntry[] = [
  {
    // huggingface.co/sentence-transformers/all-MiniLM-L6-v2: 384 dimensions; its sequence of 256 holds [CLS], 254 ids and [SEP].
    plugin: "local",
    model: "all-MiniLM-L6-v2",
    facts: {
      dimensions: 384,
      max_input_tokens: 254,
      long_input: "average",
      tokenizer: "bert_uncased",
      normalized: true,
      token_ids: "decode",
      wire_encoding: "float",
      // It runs inside the gateway.
      price: 0,
      reply_names: ["sentence-transformers/all-MiniLM-L6-v2"],
    },
  },
];

const OPENAI_MODELS: readonly CatalogueEntry[] = [
  {
    plugin: "openai",
    model: "text-embedding-3-small",
    facts: {
      ...OPENAI,
      dimensions: 1536,
      // platform.openai.com/docs/api-reference/embeddings: `dimensions` from 1 in text-embedding-3 and later.
      dimensions_allowed: { min: 1, max: 1536 },
      // openai.com/api/pricing, USD per million tokens.
      price: 0.02,
      // The prefixed name is used by routers of many vendors.
      reply_names: ["openai/text-embedding-3-small"],
    },
  },
  {
    plugin: "openai",
    model: "text-embedding-3-large",
    facts: {
      ...OPENAI,
      dimensions: 3072,
      dimensions_allowed: { min: 1, max: 3072 },
      price: 0.13,
      reply_names: ["openai/text-embedding-3-large"],
    },
  },
  {
    plugin: "openai",
    model: "text-embedding-ada-002",
    facts: {
      ...OPENAI,
      // Only these dimensions: `dimensions` is "only supported in text-embedding-3 and later models".
      dimensions: 1536,
      price: 0.1,
      // "-v2" is what OpenAI answers; "-2" is Azure's (envoyproxy/ai-gateway, its table of model names).
      reply_names: ["text-embedding-ada-002-v2", "text-embedding-ada-002-2", "openai/text-embedding-ada-002"],
    },
  },
];

/**
 * OpenAI's models through OpenRouter: https://openrouter.ai/models lists them at OpenAI's own prices, and their limits are OpenAI's.
 * `input_type` is passed to the model's provider, and OpenAI has none.
 */
const OPENROUTER_MODELS = OPENAI_MODELS.map(
  ({ model, facts }): CatalogueEntry => ({
    plugin: "openrouter",
    model: `openai/${model}`,
    same_as: model,
    facts: { ...facts, wire_encoding: "float", task_types: [], reply_names: [model, ...facts.reply_names] },
  }),
);

/** Facts of all of them: ai.google.dev/api/embeddings, ai.google.dev/gemini-api/docs/embeddings. */
const GEMINI = {
  // "at most 100 requests can be in one batch" (geldata/gel#9032)
  max_inputs: 100,
  // A payload may have 4,194,304 bytes (quarkiverse/quarkus-langchain4j#1705); half of it is left for JSON's escapes and other fields.
  max_call_bytes: 2_000_000,
  // Its vocabulary is not published, and its API accepts only texts.
  token_ids: "decode",
  wire_encoding: "float",
} as const satisfies KnownFacts;

/** Google's own clients write `models/…`, routers' `google/…`. */
const geminiNames = (model: string) => [`google/${model}`, `models/${model}`];

const GEMINI_MODELS: readonly CatalogueEntry[] = [
  {
    // Shut down on 14 January 2026 (ai.google.dev/gemini-api/docs/deprecations); other vendors still serve it.
    plugin: "gemini",
    model: "text-embedding-004",
    written_as: geminiNames("text-embedding-004"),
    facts: {
      ...GEMINI,
      dimensions: 768,
      // "Elastic": every smaller size.
      dimensions_allowed: { min: 1, max: 768 },
      max_input_tokens: 2048,
      // Shortened vectors are not of unit length; for full ones nothing is documented.
      normalized: true,
      // Vertex AI's price, USD per million tokens (0.025 per million characters); here it was free.
      price: 0.1,
      end_of_life: "2026-01-14",
      reply_names: geminiNames("text-embedding-004"),
    },
  },
  {
    plugin: "gemini",
    model: "gemini-embedding-001",
    written_as: geminiNames("gemini-embedding-001"),
    facts: {
      ...GEMINI,
      dimensions: 3072,
      // "Flexible, supports: 128 - 3072"
      dimensions_allowed: { min: 128, max: 3072 },
      max_input_tokens: 2048,
      // "The 3072 dimension embedding is normalized … for other dimensions you need to normalize".
      normalized: true,
      // ai.google.dev/gemini-api/docs/pricing
      price: 0.15,
      // ai.google.dev/gemini-api/docs/deprecations: the earliest date.
      end_of_life: "2028-05-14",
      reply_names: geminiNames("gemini-embedding-001"),
    },
  },
  {
    plugin: "gemini",
    model: "gemini-embedding-2",
    written_as: geminiNames("gemini-embedding-2"),
    facts: {
      ...GEMINI,
      dimensions: 3072,
      dimensions_allowed: { min: 128, max: 3072 },
      max_input_tokens: 8192,
      // "gemini-embedding-2 auto-normalizes truncated dimensions".
      normalized: true,
      // For text: ai.google.dev/gemini-api/docs/pricing
      price: 0.2,
      reply_names: geminiNames("gemini-embedding-2"),
    },
  },
];

export const CATALOGUE: readonly CatalogueEntry[] = [
  ...LOCAL_MODELS,
  ...OPENAI_MODELS,
  ...OPENROUTER_MODELS,
  ...GEMINI_MODELS,
  ...BEDROCK_MODELS,
  ...COHERE_MODELS,
  ...VOYAGE_MODELS,
  ...JINA_MODELS,
  ...MISTRAL_MODELS,
  ...azureModels(OPENAI_MODELS),
  ...OPEN_MODELS,
  ...VERTEX_MODELS,
];

const byPluginAndModel = new Map<string, CatalogueEntry>();
const byName = new Map<string, CatalogueEntry>();
for (const entry of CATALOGUE) {
  const { plugin, model, written_as = [], same_as, facts } = entry;
  for (const name of [model, ...written_as]) byPluginAndModel.set(`${plugin} ${name}`, entry);
  if (same_as !== undefined) continue;
  for (const name of [model, ...facts.reply_names]) byName.set(name, entry);
}

/**
 * The catalogue's facts about a model at a vendor.
 * @param pluginId the `id` of the vendor's plugin
 * @param model the model's name there, in any accepted spelling
 */
export function catalogueFacts(pluginId: string, model: string): KnownFacts | undefined {
  return byPluginAndModel.get(`${pluginId} ${model}`)?.facts;
}

/**
 * The entry for the model name in a reply, by the entry's own name or one of its reply names.
 * A reply that names another entry than the requested one is from the wrong model; an unknown name proves nothing.
 */
export function catalogueEntryNamed(replyName: string): CatalogueEntry | undefined {
  return byName.get(replyName);
}
