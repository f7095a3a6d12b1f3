/**
 * The checked catalogue of models: the one place in src/ that names vendors. Every entry says where its facts come from.
 * A new model is an entry here; test/config/catalogue.test.ts holds its figures within bounds (price lists in the wild do not).
 */
import type { KnownFacts } from "../facts";

export interface CatalogueEntry {
  /** The plugin that speaks its wire, whichever address that plugin is pointed at. */
  readonly plugin: string;
  /** The model's name at the vendor. */
  readonly model: string;
  /** The entry whose very model this is, reached through another vendor: its vectors lie in the same space. */
  readonly same_as?: string;
  readonly facts: KnownFacts & { readonly reply_names: string[] };
}

/** What OpenAI says of all its embedding models: openai/openai-openapi, CreateEmbeddingRequest. */
const OPENAI = {
  // "any array must be 2048 dimensions or less"
  max_inputs: 2048,
  // "8192 tokens for all embedding models"; price lists in the wild say 8191, which was the limit until 2024.
  max_input_tokens: 8192,
  // "a maximum of 300,000 tokens summed across all inputs in a single request"
  max_call_tokens: 300_000,
  // Unit length, also when shortened: platform.openai.com/docs/guides/embeddings
  normalized: true,
  // tiktoken's model.py: cl100k_base for all three.
  tokenizer: "cl100k_base",
  // The same specification: input takes integer[] and integer[][].
  token_ids: "native",
  // Its own SDKs ask for base64 when the user names no format: openai-python, resources/embeddings.py.
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
      // The prefixed name is how routers of many vendors call it.
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
      // One size only: `dimensions` is "only supported in text-embedding-3 and later models".
      dimensions: 1536,
      price: 0.1,
      // "-v2" is what OpenAI answers; "-2" is Azure's (envoyproxy/ai-gateway, its table of model names).
      reply_names: ["text-embedding-ada-002-v2", "text-embedding-ada-002-2", "openai/text-embedding-ada-002"],
    },
  },
];

/**
 * OpenAI's models through OpenRouter: https://openrouter.ai/models lists them at OpenAI's own prices, and their limits are OpenAI's.
 * `input_type` goes to the model's provider, and OpenAI has none.
 */
const OPENROUTER_MODELS = OPENAI_MODELS.map(
  ({ model, facts }): CatalogueEntry => ({
    plugin: "openrouter",
    model: `openai/${model}`,
    same_as: model,
    facts: { ...facts, wire_encoding: "float", task_types: [], reply_names: [model, ...facts.reply_names] },
  }),
);

export const CATALOGUE: readonly CatalogueEntry[] = [...LOCAL_MODELS, ...OPENAI_MODELS, ...OPENROUTER_MODELS];

const byPluginAndModel = new Map(CATALOGUE.map((entry) => [`${entry.plugin} ${entry.model}`, entry]));
const byName = new Map<string, CatalogueEntry>();
for (const entry of CATALOGUE) {
  if (entry.same_as !== undefined) continue;
  for (const name of [entry.model, ...entry.facts.reply_names]) byName.set(name, entry);
}

/**
 * What the catalogue knows of a model at a vendor.
 * @param pluginId the `id` of the plugin that speaks to it
 * @param model the model's name there
 */
export function catalogueFacts(pluginId: string, model: string): KnownFacts | undefined {
  return byPluginAndModel.get(`${pluginId} ${model}`)?.facts;
}

/**
 * The entry that a reply's model name speaks of, by the entry's own name or one of its reply names.
 * A reply that names another entry than the one asked for is foreign; a name that no entry has proves nothing.
 */
export function catalogueEntryNamed(replyName: string): CatalogueEntry | undefined {
  return byName.get(replyName);
}
