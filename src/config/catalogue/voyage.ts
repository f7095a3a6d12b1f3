/**
 * Voyage AI's models for texts. Limits and dimensions: docs.voyageai.com/docs/embeddings, mongodb.com/docs/voyageai/models/text-embeddings;
 * prices: docs.voyageai.com/docs/pricing. Models for chunks in context and for images have other endpoints, and are not here.
 */
import type { KnownFacts } from "../../domain/facts";
import type { CatalogueEntry } from "./entry";

/** docs.voyageai.com/reference/embeddings-api. */
const VOYAGE = {
  // "The maximum length of the list is 1,000."
  max_inputs: 1000,
  // "Voyage AI embeddings are normalized to length 1": docs.voyageai.com/docs/faq. For shortened ones nothing is documented.
  normalized: true,
  // With `truncation: false` it refuses texts that are too long.
  uncounted: "send",
  // A string or a list of strings.
  token_ids: "decode",
  wire_encoding: "float",
} as const satisfies KnownFacts;

/** "The total number of tokens in the list is at most 1M for …; 320K for …; and 120K for …" */
const MOST = 1_000_000;
const MORE = 320_000;
const LEAST = 120_000;
const SIZES = [256, 512, 1024, 2048];

interface Model {
  readonly model: string;
  readonly dimensions: number;
  readonly sizes?: readonly number[];
  readonly tokens: number;
  readonly callTokens: number;
  /** USD per million tokens. */
  readonly price: number;
}

const MODELS: readonly Model[] = [
  // "All embeddings created with the 4 series are compatible with each other": a routing file can give them one `space`.
  { model: "voyage-4-large", dimensions: 1024, sizes: SIZES, tokens: 32_000, callTokens: LEAST, price: 0.12 },
  { model: "voyage-4", dimensions: 1024, sizes: SIZES, tokens: 32_000, callTokens: MORE, price: 0.06 },
  { model: "voyage-4-lite", dimensions: 1024, sizes: SIZES, tokens: 32_000, callTokens: MOST, price: 0.02 },
  // Not in the lists of limits, so the smallest is used.
  { model: "voyage-code-4", dimensions: 1024, sizes: SIZES, tokens: 32_000, callTokens: LEAST, price: 0.12 },
  { model: "voyage-code-3", dimensions: 1024, sizes: SIZES, tokens: 32_000, callTokens: LEAST, price: 0.18 },
  { model: "voyage-finance-2", dimensions: 1024, tokens: 32_000, callTokens: LEAST, price: 0.12 },
  { model: "voyage-law-2", dimensions: 1024, tokens: 16_000, callTokens: LEAST, price: 0.12 },
  // "Older models", still served.
  { model: "voyage-3-large", dimensions: 1024, sizes: SIZES, tokens: 32_000, callTokens: LEAST, price: 0.18 },
  { model: "voyage-3.5", dimensions: 1024, sizes: SIZES, tokens: 32_000, callTokens: MORE, price: 0.06 },
  { model: "voyage-3.5-lite", dimensions: 1024, sizes: SIZES, tokens: 32_000, callTokens: MOST, price: 0.02 },
  // No longer in the lists of limits, so the smallest is used.
  { model: "voyage-3", dimensions: 1024, tokens: 32_000, callTokens: LEAST, price: 0.06 },
  { model: "voyage-3-lite", dimensions: 512, tokens: 32_000, callTokens: LEAST, price: 0.02 },
  { model: "voyage-multilingual-2", dimensions: 1024, tokens: 32_000, callTokens: LEAST, price: 0.12 },
  { model: "voyage-code-2", dimensions: 1536, tokens: 16_000, callTokens: LEAST, price: 0.12 },
  { model: "voyage-large-2-instruct", dimensions: 1024, tokens: 16_000, callTokens: LEAST, price: 0.12 },
  { model: "voyage-2", dimensions: 1024, tokens: 4_000, callTokens: MORE, price: 0.1 },
];

export const VOYAGE_MODELS: readonly CatalogueEntry[] = MODELS.map(
  ({ model, dimensions, sizes, tokens, callTokens, price }) => ({
    plugin: "voyage",
    model,
    facts: {
      ...VOYAGE,
      dimensions,
      ...(sizes ? { dimensions_allowed: [...sizes], normalized: true } : {}),
      max_input_tokens: tokens,
      max_call_tokens: callTokens,
      price,
      // The name that routers of many vendors use.
      reply_names: [`voyage/${model}`],
    } satisfies KnownFacts,
  }),
);
