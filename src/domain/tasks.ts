/**
 * What an embedding is for: one notion inside, whichever field and whichever vendor's word a request says it by.
 * The words themselves are task-words.ts; what a request and a target make of them is here.
 */

import { GatewayError } from "./errors";
import type { ModelFacts } from "./facts";
import { nearestName } from "./nearest";
import type { EmbedRequest, Target } from "./request";
import { type AskedTask, TASK_FIELDS, TASK_WORDS, TASKS, taskNamed, written } from "./task-words";

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
      const message = `'${field}' is "${word}", but '${asked.field}' is "${asked.word}": send one of them.`;
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

/** The request with the model's `default_task` where it says none. */
export function withDefaultTask<Request extends Pick<EmbedRequest, "task">>(
  request: Request,
  { default_task: word }: ModelFacts,
): Request {
  if (request.task || word === undefined) return request;
  return { ...request, task: { task: taskNamed(word), word, field: "default_task", isDefault: true } };
}

/** An unknown word is a mistake, even where tasks are left out; a model's prompts may have names of their own. */
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
