/**
 * The task of an embedding: one concept internally, whichever field and vendor's word a request uses.
 * task-words.ts has the words; this file applies them to a request and a target.
 */

import { GatewayError } from "./errors";
import type { ModelFacts } from "./facts";
import { nearestName } from "./nearest";
import type { EmbedRequest, Target } from "./request";
import { type AskedTask, TASK_FIELDS, TASK_WORDS, TASKS, taskNamed, written } from "./task-words";

/**
 * The request with its task taken out of its fields.
 * @throws GatewayError invalid if a task is not a word, or two fields name different ones
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
      const message = `'${field}' is "${word}", but '${asked.field}' is "${asked.word}": send one of them.`;
      throw new GatewayError("invalid", message, { field });
    }
    asked ??= said;
  }
  if (!asked) return request;
  const others = Object.entries(request.fields).filter(([name]) => !TASK_FIELDS.includes(name));
  return { ...request, fields: Object.fromEntries(others), task: asked };
}

/** What makes two requests equal: the task, or the word itself. */
export function sameness({ task, word }: AskedTask): string {
  return task ?? `"${word}"`;
}

/** The word that a target is sent: its plugin's own; undefined if it has none, or if its model does not distinguish tasks. */
export function wordFor({ task: asked }: Pick<EmbedRequest, "task">, target: Target): string | undefined {
  if (!asked) return undefined;
  const { tasks } = target.provider;
  const { task_types } = target.facts;
  if (asked.task === undefined) return tasks?.others ? asked.word : undefined;
  if (task_types && !task_types.some((word) => taskNamed(word) === asked.task)) return undefined;
  return tasks?.words[asked.task];
}

/** The request with the model's `default_task` if it names none. */
export function withDefaultTask<Request extends Pick<EmbedRequest, "task">>(
  request: Request,
  { default_task: word }: ModelFacts,
): Request {
  if (request.task || word === undefined) return request;
  return { ...request, task: { task: taskNamed(word), word, field: "default_task", isDefault: true } };
}

/** An unknown word is an error, even if tasks are ignored; a model's prompts may have names of their own. */
export function refusedTask(
  { task: asked }: Pick<EmbedRequest, "task">,
  { provider, facts: { prompts } }: Target,
): GatewayError | undefined {
  if (!asked || asked.task !== undefined || provider.tasks?.others) return undefined;
  if (prompts && Object.hasOwn(prompts, asked.word)) return undefined;
  const near = nearestName(written(asked.word), TASK_WORDS);
  const hint = near === undefined ? knownTasks() : `did you mean "${near}"?`;
  const message = `'${asked.field}' is "${asked.word}", which is not a task: ${hint}`;
  return new GatewayError("invalid", message, { field: asked.field });
}

const knownTasks = () => `${TASKS.join(", ")}, or a vendor's word for one of them`;
