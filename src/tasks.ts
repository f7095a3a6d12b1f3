/**
 * What an embedding is for: one notion inside, whichever field and whichever vendor's word a request says it by.
 * A new task is a row of WORDS with the words of those who have it; each plugin declares its own word for it (`tasks`).
 */
import { nearestName } from "./config/nearest";
import type { EmbedRequest, Target } from "./domain";
import { GatewayError } from "./errors";

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

/** The fields that say it, by whoever has them: Google, Cohere and Voyage, Jina, sentence-transformers' servers. */
export const TASK_FIELDS: readonly string[] = ["task_type", "input_type", "task", "prompt_name"];

const byWord = new Map<string, Task>();
for (const [task, words] of Object.entries(WORDS)) {
  if (isTask(task)) for (const word of [task, ...words]) byWord.set(word, task);
}

/** What a request says that its embeddings are for. */
export interface AskedTask {
  /** Undefined for a word that no task has: a plugin may know it. */
  readonly task: Task | undefined;
  /** As the caller wrote them. */
  readonly word: string;
  readonly field: string;
}

export function isTask(name: string): name is Task {
  return Object.hasOwn(WORDS, name);
}

/** The task that a vendor's word stands for: RETRIEVAL_QUERY, search_query and retrieval.query are one. */
export function taskNamed(word: string): Task | undefined {
  return byWord.get(written(word));
}

const written = (word: string) => word.toLowerCase().replace(/[^a-z0-9]+/g, "_");

/**
 * The request with its task taken out of its fields.
 * @throws GatewayError invalid where a task is no word, or two fields say different ones
 */
export function withTask(request: EmbedRequest): EmbedRequest {
  let asked: AskedTask | undefined;
  for (const field of TASK_FIELDS) {
    const word = request.fields[field];
    if (word === undefined) continue;
    if (typeof word !== "string" || word === "" || word.length > 100) {
      throw new GatewayError("invalid", `'${field}' must be a string: ${knownTasks()}.`, { field });
    }
    const said = { task: taskNamed(word), word, field };
    if (asked && sameness(asked) !== sameness(said)) {
      const message = `'${field}' is "${word}", but '${asked.field}' is "${asked.word}": say one of them.`;
      throw new GatewayError("invalid", message, { field });
    }
    asked ??= said;
  }
  if (!asked) return request;
  const others = Object.entries(request.fields).filter(([name]) => !TASK_FIELDS.includes(name));
  return { ...request, fields: Object.fromEntries(others), task: asked };
}

/** What makes two requests ask for the same: the task, else the word itself. */
export function sameness({ task, word }: AskedTask): string {
  return task ?? `"${word}"`;
}

/** The word that a target is sent: its plugin's own; undefined where it has none, or where its model tells no such tasks apart. */
export function wordFor({ task: asked }: Pick<EmbedRequest, "task">, target: Target): string | undefined {
  if (!asked) return undefined;
  const { tasks } = target.provider;
  const { task_types } = target.facts;
  if (asked.task === undefined) return tasks?.others ? asked.word : undefined;
  if (task_types && !task_types.some((word) => taskNamed(word) === asked.task)) return undefined;
  return tasks?.words[asked.task];
}

/** A word that nobody knows is a mistake, even where tasks are left out. */
export function refusedTask(
  { task: asked }: Pick<EmbedRequest, "task">,
  { provider }: Target,
): GatewayError | undefined {
  if (!asked || asked.task !== undefined || provider.tasks?.others) return undefined;
  const near = nearestName(written(asked.word), [...byWord.keys()]);
  const hint = near === undefined ? knownTasks() : `did you mean "${near}"?`;
  const message = `'${asked.field}' is "${asked.word}", which is no task: ${hint}`;
  return new GatewayError("invalid", message, { field: asked.field });
}

const knownTasks = () => `${TASKS.join(", ")}, or a vendor's word for one of them`;
