/**
 * The vendors' words for tasks (what an embedding is for), which all become one set of tasks here.
 * To add a task, add a row to WORDS with all vendors' words for it; each plugin declares its own word (`tasks`).
 */

/**
 * Every task with the words for it besides its own name, in normalised spelling (`written`): from Google's task types, Cohere's and Voyage's
 * input types, Jina's tasks, NVIDIA's input types, Amazon's embedding purposes.
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

/** The request fields for the task: Google's, Cohere's and Voyage's, Jina's, sentence-transformers servers'. */
export const TASK_FIELDS: readonly string[] = ["task_type", "input_type", "task", "prompt_name"];

const byWord = new Map<string, Task>();
for (const [task, words] of Object.entries(WORDS)) {
  if (isTask(task)) for (const word of [task, ...words]) byWord.set(word, task);
}
/** All words in normalised spelling. */
export const TASK_WORDS: readonly string[] = [...byWord.keys()];

/** The task that a request names. */
export interface AskedTask {
  /** Undefined for an unknown word, which a plugin may know. */
  readonly task: Task | undefined;
  /** The word and the field, as the caller wrote them. */
  readonly word: string;
  readonly field: string;
  /** The request names no task: this is the model's `default_task`. */
  readonly isDefault?: boolean;
}

/** A task as the gateway itself requests it. */
export const askedAs = (task: Task): AskedTask => ({ task, word: task, field: "input_type" });

export function isTask(name: string): name is Task {
  return Object.hasOwn(WORDS, name);
}

/** The task for a vendor's word: RETRIEVAL_QUERY, search_query and retrieval.query are the same. */
export function taskNamed(word: string): Task | undefined {
  return byWord.get(written(word));
}

/** A word in normalised spelling: only letters and digits matter. */
export const written = (word: string) => word.toLowerCase().replace(/[^a-z0-9]+/g, "_");
