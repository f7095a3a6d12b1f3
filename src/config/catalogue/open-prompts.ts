/**
 * The prompts with which open-weight models were trained, as in each model's card or its config_sentence_transformers.json. An empty prompt is for
 * a task that the model knows but has no prompt for. To add a model, add a row to PROMPTS. `default_task` is for models whose card requires a
 * prompt before every text (e5, nomic); other cards require it only before queries, or recommend it.
 */
import type { KnownFacts } from "../../domain/facts";

type Prompts = Pick<KnownFacts, "prompts" | "default_task">;

/**
 * huggingface.co/intfloat/e5-base-v2 and the other e5: "Each input text should start with "query: " or "passage: "". Both are for retrieval;
 * "query: " is also for similarity and for embeddings as features (classification, clustering). Without a task: "For tasks other than
 * retrieval, you can simply use the "query: " prefix."
 */
const E5: Prompts = {
  prompts: {
    query: "query: ",
    document: "passage: ",
    similarity: "query: ",
    classification: "query: ",
    clustering: "query: ",
  },
  default_task: "query",
};

/** huggingface.co/intfloat/multilingual-e5-large-instruct: an instruction before each query, none before documents. */
const E5_INSTRUCT: Prompts = {
  prompts: {
    query: "Instruct: Given a web search query, retrieve relevant passages that answer the query\nQuery: ",
    document: "",
  },
};

/** For retrieval, only before queries. */
const SEARCHING: Prompts = {
  prompts: { query: "Represent this sentence for searching relevant passages: ", document: "" },
};

/** huggingface.co/nomic-ai/nomic-embed-text-v1.5: "the text prompt must include a task instruction prefix". Without a task its API embeds documents. */
const NOMIC: Prompts = {
  prompts: {
    query: "search_query: ",
    document: "search_document: ",
    classification: "classification: ",
    clustering: "clustering: ",
  },
  default_task: "document",
};

/** config_sentence_transformers.json of huggingface.co/Qwen/Qwen3-Embedding-0.6B and the larger ones; callers write other instructions themselves. */
const QWEN: Prompts = {
  prompts: {
    query: "Instruct: Given a web search query, retrieve relevant passages that answer the query\nQuery:",
    document: "",
  },
};

/** The cards' examples have no prompts. */
const NOTHING: Prompts = { prompts: { query: "", document: "" } };

export const PROMPTS: Readonly<Record<string, Prompts>> = {
  // The table in huggingface.co/BAAI/bge-small-en-v1.5's card: an instruction for queries of retrieval, none for passages; none for m3.
  "BAAI/bge-small-en-v1.5": SEARCHING,
  "BAAI/bge-base-en-v1.5": SEARCHING,
  "BAAI/bge-large-en-v1.5": SEARCHING,
  "BAAI/bge-large-zh-v1.5": { prompts: { query: "为这个句子生成表示以用于检索相关文章：", document: "" } },
  "BAAI/bge-m3": NOTHING,
  "intfloat/e5-small-v2": E5,
  "intfloat/e5-base-v2": E5,
  "intfloat/e5-large-v2": E5,
  "intfloat/multilingual-e5-small": E5,
  "intfloat/multilingual-e5-base": E5,
  "intfloat/multilingual-e5-large": E5,
  "intfloat/multilingual-e5-large-instruct": E5_INSTRUCT,
  // huggingface.co/thenlper/gte-large: its example has neither instruction nor prefix.
  "thenlper/gte-small": NOTHING,
  "thenlper/gte-base": NOTHING,
  "thenlper/gte-large": NOTHING,
  // query_prefix of huggingface.co/Snowflake/snowflake-arctic-embed-m; in version 2 the prompt_name "query" is "query: ".
  "Snowflake/snowflake-arctic-embed-xs": SEARCHING,
  "Snowflake/snowflake-arctic-embed-s": SEARCHING,
  "Snowflake/snowflake-arctic-embed-m": SEARCHING,
  "Snowflake/snowflake-arctic-embed-m-v1.5": SEARCHING,
  "Snowflake/snowflake-arctic-embed-l": SEARCHING,
  "Snowflake/snowflake-arctic-embed-l-v2.0": { prompts: { query: "query: ", document: "" } },
  // mixedbread.com/api-reference/integrations/unstructured and its card: only before queries of retrieval.
  "mixedbread-ai/mxbai-embed-large-v1": SEARCHING,
  "nomic-ai/nomic-embed-text-v1": NOMIC,
  "nomic-ai/nomic-embed-text-v1.5": NOMIC,
  // huggingface.co/google/embeddinggemma-300m#prompt-instructions
  "google/embeddinggemma-300m": {
    prompts: {
      query: "task: search result | query: ",
      document: "title: none | text: ",
      similarity: "task: sentence similarity | query: ",
      classification: "task: classification | query: ",
      clustering: "task: clustering | query: ",
      question_answering: "task: question answering | query: ",
      fact_verification: "task: fact checking | query: ",
      code_query: "task: code retrieval | query: ",
    },
  },
  "Qwen/Qwen3-Embedding-0.6B": QWEN,
  "Qwen/Qwen3-Embedding-4B": QWEN,
  "Qwen/Qwen3-Embedding-8B": QWEN,
  // huggingface.co/ibm-granite/granite-embedding-english-r2, …-small-english-r2, …-30m-english: no prompts.
  "ibm-granite/granite-embedding-english-r2": NOTHING,
  "ibm-granite/granite-embedding-small-english-r2": NOTHING,
};
