/**
 * Checks that what a plugin returned is a provider by the contract of src/plugin.ts. TypeScript does not check an external plugin.
 * A new member of `Provider` that can be wrong gets its line in `checkProvider`.
 */
import { KindGuard, type TObject, type TSchema } from "@sinclair/typebox";
import { TypeCompiler } from "@sinclair/typebox/compiler";
import { isTask, TASK_FIELDS, TASKS } from "../domain/task-words";
import type { Provider } from "../plugin";

export type CheckedProvider =
  | { readonly ok: true; readonly provider: Provider }
  | { readonly ok: false; readonly reasons: readonly string[] };

export function checkProvider(value: unknown): CheckedProvider {
  if (typeof value !== "object" || value === null)
    return { ok: false, reasons: ["expected an object with id, options and open"] };
  if (value instanceof Promise)
    return { ok: false, reasons: ["it is a promise; a plugin is a plain function, not an async one"] };
  const reasons: string[] = [];
  const member = (name: string): unknown => Reflect.get(value, name);
  const id = member("id");
  if (typeof id !== "string") reasons.push("`id` is missing; expected a word");
  else if (!/^[a-z0-9][a-z0-9-]*$/.test(id)) {
    reasons.push(
      `\`id\` is ${JSON.stringify(id.slice(0, 60))}; expected lower case letters, digits and dashes`,
    );
  }
  const options = member("options");
  if (options === undefined) reasons.push("`options` is missing; expected host.t.Object({…})");
  else if (!isObjectSchema(options))
    reasons.push("`options` is not an object schema; expected host.t.Object({…})");
  if (typeof member("open") !== "function")
    reasons.push("`open` is missing or not a function; expected open(options) that returns an upstream");
  const fields = member("fields");
  if (fields !== undefined) {
    if (typeof fields !== "object" || fields === null)
      reasons.push("`fields` is not an object; expected a schema for each field");
    else {
      for (const [name, schema] of Object.entries(fields)) {
        if (!isUsableSchema(schema))
          reasons.push(`\`fields.${name}\` is not a schema; expected one made with host.t`);
      }
    }
  }
  const serverFields = member("serverFields");
  if (serverFields !== undefined && !isListOfNames(serverFields))
    reasons.push("`serverFields` is not a list of names");
  reasons.push(...wrongTasks(member("tasks"), fields));
  const concurrency = member("concurrency");
  if (concurrency !== undefined && !(Number.isInteger(concurrency) && Number(concurrency) >= 1)) {
    reasons.push("`concurrency` is not an integer of 1 or more");
  }
  const timeoutMs = member("timeoutMs");
  if (timeoutMs !== undefined && !(Number.isInteger(timeoutMs) && Number(timeoutMs) >= 1))
    reasons.push("`timeoutMs` is not an integer of 1 or more");
  const countsTokens = member("countsTokens");
  if (countsTokens !== undefined && typeof countsTokens !== "boolean")
    reasons.push("`countsTokens` is not true or false");
  const coalesce = member("coalesce");
  if (coalesce !== undefined && typeof coalesce !== "boolean")
    reasons.push("`coalesce` is not true or false");
  return reasons.length === 0 && isProvider(value) ? { ok: true, provider: value } : { ok: false, reasons };
}

const isListOfNames = (value: unknown) =>
  Array.isArray(value) && value.every((name) => typeof name === "string" && name !== "");

function wrongTasks(tasks: unknown, fields: unknown): string[] {
  const field = TASK_FIELDS.find((name) => typeof fields === "object" && fields !== null && name in fields);
  const reasons =
    field === undefined ? [] : [`\`fields.${field}\` is a task; expected its words in \`tasks\``];
  if (tasks === undefined) return reasons;
  const words: unknown =
    typeof tasks === "object" && tasks !== null ? Reflect.get(tasks, "words") : undefined;
  if (typeof words !== "object" || words === null)
    return [...reasons, "`tasks.words` is not an object; expected this vendor's word for each task"];
  for (const [task, word] of Object.entries(words)) {
    if (!isTask(task))
      reasons.push(`\`tasks.words.${task}\` is not a task; known tasks: ${TASKS.join(", ")}`);
    else if (typeof word !== "string" || word === "") reasons.push(`\`tasks.words.${task}\` is not a word`);
  }
  return reasons;
}

/** All members that matter were checked above; this only tells TypeScript. */
function isProvider(value: object): value is Provider {
  return "id" in value && "options" in value && "open" in value;
}

export function isObjectSchema(value: unknown): value is TObject {
  return KindGuard.IsObject(value) && isUsableSchema(value);
}

/** Schemas made with another copy of TypeBox work too; hand-written JSON schema does not. */
function isUsableSchema(value: unknown): value is TSchema {
  if (!KindGuard.IsSchema(value)) return false;
  try {
    TypeCompiler.Compile(value);
    return true;
  } catch {
    return false;
  }
}
