/**
 * The embedding models on Amazon Bedrock. Dimensions and limits: docs.aws.amazon.com/bedrock/latest/userguide, model-parameters-titan-embed-text,
 * titan-multiemb-models, model-parameters-embed-v3, …-embed-v4; docs.aws.amazon.com/nova/latest/userguide/embeddings-schema.html. Prices:
 * aws.amazon.com/bedrock/pricing, us-east-1. To add a model, add an entry to MODELS; facts of all models are in BEDROCK.
 */
import type { KnownFacts } from "../../domain/facts";
import type { CatalogueEntry } from "./entry";

const BEDROCK = {
  // The body of InvokeModel may have 25,000,000 bytes; JSON's escapes need room, too.
  max_call_bytes: 10_000_000,
  // The vocabularies are not published; the models refuse texts that are too long.
  uncounted: "send",
  token_ids: "decode",
  wire_encoding: "float",
} as const satisfies KnownFacts;

const TITAN: KnownFacts = {
  // `inputText` is one text.
  max_inputs: 1,
  task_types: [],
};

const COHERE: KnownFacts = {
  // "Texts per call: maximum 96"
  max_inputs: 96,
  // Their length is not documented.
  normalized: true,
  task_types: ["search_query", "search_document", "classification", "clustering"],
  embedding_types: ["int8", "uint8", "binary", "ubinary"],
};

/** Ids of identical models. */
const SAME_AS: Readonly<Record<string, string>> = {
  "amazon.titan-embed-g1-text-02": "amazon.titan-embed-text-v1",
  "cohere.embed-english-v3": "embed-english-v3.0",
  "cohere.embed-multilingual-v3": "embed-multilingual-v3.0",
  "cohere.embed-v4:0": "embed-v4.0",
};

const MODELS: Readonly<Record<string, KnownFacts>> = {
  "amazon.titan-embed-text-v2:0": {
    ...TITAN,
    dimensions: 1024,
    dimensions_allowed: [256, 512, 1024],
    // "up to 8,192 tokens or 50,000 characters"
    max_input_tokens: 8192,
    // "normalize … Defaults to true."
    normalized: true,
    // "embeddingTypes – Accepts a list containing "float", "binary", or both."
    embedding_types: ["binary"],
    price: 0.02,
  },
  "amazon.titan-embed-text-v1": {
    ...TITAN,
    dimensions: 1536,
    max_input_tokens: 8192,
    // Their length is not documented, and `normalize` exists in version 2 only.
    normalized: true,
    price: 0.1,
  },
  // The same model under its first name (BerriAI/litellm#9067).
  "amazon.titan-embed-g1-text-02": {
    ...TITAN,
    dimensions: 1536,
    max_input_tokens: 8192,
    normalized: true,
    price: 0.1,
  },
  "amazon.titan-embed-image-v1": {
    ...TITAN,
    // "Output vector size – 1,024 (default), 384, 256"
    dimensions: 1024,
    dimensions_allowed: [256, 384, 1024],
    // "Max input text tokens – 256"; some price lists say 128.
    max_input_tokens: 256,
    normalized: true,
    // Of text.
    price: 0.8,
  },
  "cohere.embed-english-v3": { ...COHERE, dimensions: 1024, max_input_tokens: 512, price: 0.1 },
  "cohere.embed-multilingual-v3": { ...COHERE, dimensions: 1024, max_input_tokens: 512, price: 0.1 },
  "cohere.embed-v4:0": {
    ...COHERE,
    dimensions: 1536,
    dimensions_allowed: [256, 512, 1024, 1536],
    // "Up to ~128k tokens supported"
    max_input_tokens: 128_000,
    price: 0.12,
  },
  "amazon.nova-2-multimodal-embeddings-v1:0": {
    max_inputs: 1,
    dimensions: 3072,
    dimensions_allowed: [256, 384, 1024, 3072],
    // "8,172 tokens" of text.
    max_input_tokens: 8172,
    normalized: true,
    task_types: ["TEXT_RETRIEVAL", "GENERIC_INDEX", "CLASSIFICATION", "CLUSTERING"],
    // Of text.
    price: 0.135,
  },
};

/** Prefixes of the id for cross-region access: docs.aws.amazon.com/bedrock/latest/userguide/inference-profiles-support.html */
const REGIONS = ["us", "us-gov", "eu", "apac", "jp", "au", "ca", "global"];

export const BEDROCK_MODELS: readonly CatalogueEntry[] = Object.entries(MODELS).map(([model, facts]) => ({
  plugin: "bedrock",
  model,
  ...(SAME_AS[model] !== undefined && { same_as: SAME_AS[model] }),
  written_as: REGIONS.map((region) => `${region}.${model}`),
  // Replies do not name the model: these are its names elsewhere.
  facts: {
    ...BEDROCK,
    ...facts,
    reply_names: Object.keys(SAME_AS).filter((name) => SAME_AS[name] === model),
  },
}));
