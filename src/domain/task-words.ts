/**
 * The words for what an embedding is for: one notion inside, whichever vendor's word says it.
 * A new task is a row of WORDS with the words of those who have it; each plugin declares its own word for it (`tasks`).
 */

/**
 * Every task with the words that stand for it besides its own name, as they are once written alike (`written`): of Google's task types,
 * Cohere's input types, Voyage's, Jina's tasks, NVIDIA's, Amazon's embedding purposes.
 */
const WORDS = {
  query: ["search_query", "retrieval_query", "generic_retrieval", "text_retrieval"],
  document: ["passage", "search_document", "retrieval_document", "retrieval_passage", "generic_index"],
  similarity: ["semantic_similarity", "text_matching"],
  classification: [],
  clustering: ["separation"],
  question_answering: [],
  fact_verification: ["fact_checking"],
  code_query: ["code_retrieval_query", "nl2code_query"],
  code_document: ["code_passage", "nl2code_passage"],
} as const satisfies Record<string, readonly string[]>;

export type Task = keyof typeof WORDS;
export const TASKS: readonly string[] = Object.keys(WORDS);

/** The fields for it: Google, Cohere and Voyage, Jina, sentence-transformers' servers. */
export const TASK_FIELDS: readonly string[] = ["task_type", "input_type", "task", "prompt_name"];

const byWord = new Map<string, Task>();
for (const [task, words] of Object.entries(WORDS)) {
  if (isTask(task)) for (const word of [task, ...words]) byWord.set(word, task);
}
/** All of them, as they are once written alike. */
export const TASK_WORDS: readonly string[] = [...byWord.keys()];

/** What a request says that its embeddings are for. */
export interface AskedTask {
  /** Undefined for a word that no task has: a plugin may know it. */
  readonly task: Task | undefined;
  /** As the caller wrote them. */
  readonly word: string;
  readonly field: string;
  /** The request says none: it is the model's `default_task`. */
  readonly isDefault?: boolean;
}

/** A task as the gateway itself requests it. */
export const askedAs = (task: Task): AskedTask => ({ task, word: task, field: "input_type" });

export function isTask(name: string): name is Task {
  return Object.hasOwn(WORDS, name);
}

/** The task that a vendor's word stands for: RETRIEVAL_QUERY, search_query and retrieval.query are one. */
export function taskNamed(word: string): Task | undefined {
  return byWord.get(written(word));
}

/** Letters and digits alone tell one word from another. */
export const written = (word: string) => word.toLowerCase().replace(/[^a-z0-9]+/g, "_");
