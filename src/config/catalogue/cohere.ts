/**
 * Cohere's embedding models. Dimensions and limits: docs.cohere.com/docs/cohere-embed; the models of version 2 were shut down on 4 April 2026.
 * To add a model, add an entry; facts of all models are in COHERE.
 */
import type { KnownFacts } from "../../domain/facts";
import type { CatalogueEntry } from "./entry";

const COHERE = {
  // cohere-openapi.yaml, /v2/embed: "Maximum number of texts per call is `96`."
  max_inputs: 96,
  // Their length is not documented, only that cosine, dot product and Euclidean distance all work.
  normalized: true,
  // Its vocabularies are published, but not included here: with `truncate: NONE` it refuses texts that are too long.
  uncounted: "send",
  token_ids: "decode",
  wire_encoding: "float",
  // EmbedInputType: there is none for similarity.
  task_types: ["search_document", "search_query", "classification", "clustering"],
} as const;

interface Model {
  readonly model: string;
  readonly dimensions: number;
  /** `output_dimension`, "only available for `embed-v4` and newer models". */
  readonly sizes?: readonly number[];
  readonly tokens: number;
  /** USD per million tokens. */
  readonly price: number;
  /** Amazon's name of the model. */
  readonly amazons?: string;
}

const MODELS: readonly Model[] = [
  // docs.cohere.com/docs/cohere-embed and cohere.com/pricing, as quoted by developersdigest.tech/models/embeddings/cohere-embed-v5-0-fast.
  {
    model: "embed-v5.0-pro",
    dimensions: 2048,
    sizes: [256, 512, 768, 1024, 1536, 2048],
    tokens: 128_000,
    price: 0.12,
  },
  {
    model: "embed-v5.0-fast",
    dimensions: 2048,
    sizes: [256, 512, 768, 1024, 1536, 2048],
    tokens: 128_000,
    price: 0.08,
  },
  {
    // cohere-openapi.yaml: "256, 512, 1024, and 1536. The default is 1536."
    model: "embed-v4.0",
    amazons: "cohere.embed-v4:0",
    dimensions: 1536,
    sizes: [256, 512, 1024, 1536],
    tokens: 128_000,
    price: 0.12,
  },
  // Version 3: the price of 2023, which cohere.com/pricing no longer lists; some price lists have 100 for the last, which should be 0.1.
  {
    model: "embed-english-v3.0",
    amazons: "cohere.embed-english-v3",
    dimensions: 1024,
    tokens: 512,
    price: 0.1,
  },
  { model: "embed-english-light-v3.0", dimensions: 384, tokens: 512, price: 0.1 },
  {
    model: "embed-multilingual-v3.0",
    amazons: "cohere.embed-multilingual-v3",
    dimensions: 1024,
    tokens: 512,
    price: 0.1,
  },
  { model: "embed-multilingual-light-v3.0", dimensions: 384, tokens: 512, price: 0.1 },
];

export const COHERE_MODELS: readonly CatalogueEntry[] = MODELS.map(
  ({ model, dimensions, sizes, tokens, price, amazons }) => ({
    plugin: "cohere",
    model,
    facts: {
      ...COHERE,
      task_types: [...COHERE.task_types],
      dimensions,
      ...(sizes ? { dimensions_allowed: [...sizes] } : {}),
      max_input_tokens: tokens,
      price,
      // Replies do not name the model; the prefixed name is used by routers of many vendors.
      reply_names: [`cohere/${model}`, ...(amazons === undefined ? [] : [amazons])],
    } satisfies KnownFacts,
  }),
);
