/**
 * Jina AI's embedding models. Request fields, sizes and tasks: api.jina.ai/openapi.json; lengths: jina-ai/jina-on-prem (Model-Catalog) and
 * jina.ai/models. A new model is an entry; what holds for all of them is in JINA.
 */
import type { KnownFacts } from "../../domain/facts";
import type { CatalogueEntry } from "./entry";

const JINA = {
  // "Each input list can contain at most 512 items" (langgenius/dify-official-plugins#1997); for older models 2048 was reported (refly-ai/refly#831).
  max_inputs: 512,
  // ModelListResponse of the same specification has "prompt": "0.00000005" for version 3; tokens are bought for all models alike.
  price: 0.05,
  // With `truncate: false` it refuses texts that are too long itself.
  uncounted: "send",
  token_ids: "decode",
  wire_encoding: "float",
} as const satisfies KnownFacts;

interface Model {
  readonly model: string;
  /** Its native dimensions; `dimensions` of the request takes any smaller value if there is more than one. */
  readonly dimensions: number;
  readonly shortens: boolean;
  readonly tokens: number;
  readonly callTokens?: number;
  /** "If true (default), embeddings are L2-normalized": for models without the field nothing is documented. */
  readonly normalized: boolean;
  readonly tasks: readonly string[];
}

const RETRIEVAL = ["retrieval.query", "retrieval.passage"];
const TEXT_TASKS = [...RETRIEVAL, "text-matching", "classification"];
const CODE_TASKS = [...RETRIEVAL, "nl2code.query", "nl2code.passage"];

const MODELS: readonly Model[] = [
  {
    model: "jina-embeddings-v5-text-small",
    dimensions: 1024,
    shortens: true,
    tokens: 32_768,
    normalized: true,
    tasks: [...TEXT_TASKS, "clustering"],
  },
  {
    // The model takes 32,768 (jina.ai/news), but is served with 8K.
    model: "jina-embeddings-v5-text-nano",
    dimensions: 768,
    shortens: true,
    tokens: 8192,
    normalized: true,
    tasks: [...TEXT_TASKS, "clustering"],
  },
  {
    model: "jina-embeddings-v5-omni-small",
    dimensions: 1024,
    shortens: true,
    tokens: 32_768,
    normalized: true,
    tasks: [...TEXT_TASKS, "clustering"],
  },
  {
    model: "jina-embeddings-v5-omni-nano",
    dimensions: 768,
    shortens: true,
    tokens: 8192,
    normalized: true,
    tasks: [...TEXT_TASKS, "clustering"],
  },
  {
    model: "jina-embeddings-v4",
    dimensions: 2048,
    shortens: true,
    tokens: 32_768,
    // Users saw its limit apply to all inputs of a call together.
    callTokens: 32_768,
    normalized: true,
    tasks: [...RETRIEVAL, "text-matching", "code.query", "code.passage"],
  },
  {
    model: "jina-embeddings-v3",
    dimensions: 1024,
    shortens: true,
    // "exceeds the model's maximum of 8194 tokens", including two special tokens.
    tokens: 8192,
    normalized: true,
    tasks: [...TEXT_TASKS, "separation"],
  },
  {
    model: "jina-code-embeddings-1.5b",
    dimensions: 1536,
    shortens: true,
    tokens: 32_768,
    normalized: true,
    tasks: CODE_TASKS,
  },
  {
    model: "jina-code-embeddings-0.5b",
    dimensions: 896,
    shortens: true,
    tokens: 32_768,
    normalized: true,
    tasks: CODE_TASKS,
  },
  {
    // For texts and images; the only task for texts is the query.
    model: "jina-clip-v2",
    dimensions: 1024,
    shortens: true,
    tokens: 8192,
    normalized: true,
    tasks: ["retrieval.query"],
  },
  ...["en", "de", "es", "zh", "code"].map((kind) => ({
    model: `jina-embeddings-v2-base-${kind}`,
    dimensions: 768,
    shortens: false,
    tokens: 8192,
    normalized: true,
    tasks: [],
  })),
];

export const JINA_MODELS: readonly CatalogueEntry[] = MODELS.map(
  ({ model, dimensions, shortens, tokens, callTokens, normalized, tasks }) => ({
    plugin: "jina",
    model,
    // The ids in its own list of models; the plugin removes the prefix.
    written_as: [`jina-ai/${model}`],
    facts: {
      ...JINA,
      dimensions,
      ...(shortens ? { dimensions_allowed: { min: 1, max: dimensions } } : {}),
      max_input_tokens: tokens,
      ...(callTokens === undefined ? {} : { max_call_tokens: callTokens }),
      normalized,
      task_types: [...tasks],
      reply_names: [`jina-ai/${model}`, `jinaai/${model}`],
    } satisfies KnownFacts,
  }),
);
