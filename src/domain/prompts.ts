/**
 * Prompts: words that a model was trained to see before a text, depending on the task ("query: ", "search_document: "). The gateway
 * adds them if a provider has no parameter for the task. The catalogue and the routing file say which models have which.
 */
import type { KnownFacts } from "./facts";
import type { EmbedRequest, Prompt, Route, Target } from "./request";
import { taskNamed } from "./task-words";
import { wordFor } from "./tasks";

/** @returns the model's prompt for the request's task, by its name there or by any vendor's word for it */
export function promptOf(
  { task: asked, inputs }: Pick<EmbedRequest, "task" | "inputs">,
  { prompts, token_ids }: Pick<KnownFacts, "prompts" | "token_ids">,
): Prompt | undefined {
  if (!asked || !prompts) return undefined;
  // Only the server knows the ids' vocabulary: no text can be put before them.
  if (token_ids === "native" && inputs.some((input) => typeof input !== "string")) return undefined;
  const name = promptNamed(asked.word, prompts);
  const text = name === undefined ? undefined : prompts[name];
  if (name === undefined || text === undefined) return undefined;
  return { name, text, isDefault: asked.isDefault ?? false, known: Object.values(prompts) };
}

export function promptNamed(word: string, prompts: Readonly<Record<string, string>>): string | undefined {
  if (Object.hasOwn(prompts, word)) return word;
  const task = taskNamed(word);
  return task && Object.keys(prompts).find((name) => taskNamed(name) === task);
}

/**
 * The prompt that the gateway adds to a request's texts, for every route of the model: if it were added for one and left to the other's server,
 * one text might have two vectors. The same could happen if each server added its own: no space is measured with prompts, only with texts as they are
 * sent. undefined if a single server serves the model and has its own word for the task.
 */
export function promptFor(
  request: Pick<EmbedRequest, "task" | "inputs">,
  { targets, facts }: Pick<Route, "targets" | "facts">,
): Prompt | undefined {
  if (!request.task) return undefined;
  const prompt = promptOf(request, facts);
  const isOnesOwn = targets.length === 1 && targets.every((target) => wordFor(request, target) !== undefined);
  return isOnesOwn ? undefined : prompt;
}

/** Whether a target does something with the request's task: by its own word, or by a prompt of the model. */
export function honoursTask(request: Pick<EmbedRequest, "task" | "inputs">, target: Target): boolean {
  return wordFor(request, target) !== undefined || promptOf(request, target.facts) !== undefined;
}

/** The text with its prompt, which is never added twice; an empty text stays empty. */
export function prompted(text: string, prompt: Prompt): string {
  return text === "" || promptWithin(text, prompt) !== "" ? text : prompt.text + text;
}

/** The part of a text that is its prompt already, including blanks before it; "" if it has none. */
export function promptWithin(text: string, { text: own, isDefault, known }: Prompt): string {
  const blanks = text.slice(0, BLANKS_MAX).search(/\S/);
  const plain = text.slice(Math.max(0, blanks));
  for (const prompt of isDefault ? known : [own]) {
    const begin = beginningLike(text, prompt);
    if (begin !== "") return begin;
    const within = blanks > 0 ? beginningLike(plain, prompt) : "";
    if (within !== "") return text.slice(0, blanks) + within;
  }
  return "";
}

/** Templates add some before a text: Spring AI 2.0.1 two line breaks before each document. */
const BLANKS_MAX = 100;

/**
 * Prompts with several labels contain words that callers may choose: another instruction between `Instruct:` and `Query:`, a title between `title:` and
 * `| text:`. In other prompts the final blank may be missing.
 */
function beginningLike(text: string, prompt: string): string {
  const bare = prompt.trimEnd();
  if (bare === "") return "";
  if (text.startsWith(prompt)) return prompt;
  if (text.startsWith(bare)) return bare;
  const form = formOf(bare);
  if (form === undefined || !text.startsWith(form.first)) return "";
  const place = text.slice(0, BEGINNING_MAX).indexOf(form.last);
  return place === -1 ? "" : text.slice(0, place + form.last.length);
}

/** No instruction and no title is longer. */
const BEGINNING_MAX = 1_000;

function formOf(prompt: string): { readonly first: string; readonly last: string } | undefined {
  const separator = [" | ", "\n"].find((between) => prompt.includes(between));
  if (separator === undefined) return undefined;
  const first = prompt.slice(0, prompt.indexOf(":") + 1);
  const last = prompt.slice(prompt.lastIndexOf(separator));
  return first === "" ? undefined : { first, last };
}
