/**
 * Turns a violation of a TypeBox schema into one sentence for the caller: which field, what was wrong, what would be right.
 * It knows JSON schema only, no dialect; a schema with its own message has it as `expected`.
 */
import type { TSchema } from "@sinclair/typebox";
import type { TypeCheck } from "@sinclair/typebox/compiler";
import { type ValueError, ValueErrorType } from "@sinclair/typebox/errors";

export interface Breach {
  /** As the caller would write it: `input[17]`, `metadata.tag`; empty for the body itself. */
  readonly field: string;
  readonly message: string;
}

/** The first violation, at its deepest position: in a union, the alternative that matches the value furthest is meant. */
export function explainBreach(check: TypeCheck<TSchema>, value: unknown): Breach {
  const first = check.Errors(value).First();
  if (!first) return { field: "", message: "The value is not valid." };
  const error = furthest(first);
  const field = fieldOf(error.path);
  return { field, message: `${field === "" ? "The body" : `'${field}'`} ${sentence(error)}` };
}

function furthest(error: ValueError): ValueError {
  if (error.type !== ValueErrorType.Union) return error;
  const { anyOf } = error.schema;
  const meant = error.errors.filter((_, i) => !isNull(anyOf?.[i]));
  // `T or null` is an optional `T`: the message is about T.
  const only = meant.length === 1 ? meant[0]?.First() : undefined;
  if (only) return furthest(only);
  let best: ValueError = error;
  for (const alternative of meant) {
    const first = alternative.First();
    if (!first) continue;
    const candidate = furthest(first);
    if (reach(candidate) > reach(best)) best = candidate;
  }
  return best;
}

/**
 * How far an alternative matches the value. A violation at `input/3` is further than one at `input/0`, which did not even match
 * the first entry; a wrong size (`minItems`, `maxLength`) means that the type was right.
 */
function reach(error: ValueError): number {
  const steps = error.path.split("/").slice(1);
  let distance = 0;
  for (const [depth, step] of steps.entries()) {
    const place = Number(step);
    distance += depth === 0 ? 1 : Number.isInteger(place) && place > 0 ? 1 + place : 0;
  }
  return SIZE_BREACHES.has(error.type) ? distance + 0.5 + steps.length : distance;
}

const SIZE_BREACHES = new Set([
  ValueErrorType.ArrayMinItems,
  ValueErrorType.ArrayMaxItems,
  ValueErrorType.StringMinLength,
  ValueErrorType.StringMaxLength,
  ValueErrorType.IntegerMinimum,
  ValueErrorType.IntegerMaximum,
]);

/** `/input/17/2` → `input[17][2]`. JSON pointer escapes are undone. */
export function fieldOf(pointer: string): string {
  let field = "";
  for (const raw of pointer.split("/").slice(1)) {
    const step = raw.replaceAll("~1", "/").replaceAll("~0", "~");
    field += /^\d+$/.test(step) ? `[${step}]` : field === "" ? step : `.${step}`;
  }
  return field.slice(0, 200);
}

function sentence(error: ValueError): string {
  const { schema, value } = error;
  switch (error.type) {
    case ValueErrorType.ObjectRequiredProperty:
      return "is missing.";
    case ValueErrorType.ObjectAdditionalProperties:
      return "is not supported here: remove it.";
    case ValueErrorType.ArrayMinItems:
      return "is an empty array: give at least one entry.";
    case ValueErrorType.ArrayMaxItems:
      return `has ${lengthOf(value)} entries; at most ${schema.maxItems} are allowed.`;
    case ValueErrorType.ObjectMaxProperties:
      return `has more than ${schema.maxProperties} fields.`;
    case ValueErrorType.StringMinLength:
      return "is an empty string: it must have at least one character.";
    case ValueErrorType.StringMaxLength:
      return `has ${lengthOf(value)} characters; at most ${schema.maxLength} are allowed.`;
    case ValueErrorType.IntegerMinimum:
    case ValueErrorType.NumberMinimum:
      return `is ${show(value)}: the minimum is ${schema.minimum}.`;
    case ValueErrorType.IntegerMaximum:
    case ValueErrorType.NumberMaximum:
      return `is ${show(value)}: the maximum is ${schema.maximum}.`;
    default:
      return `must be ${expected(schema)}, not ${show(value)}.`;
  }
}

const isNull = (schema: TSchema | undefined) => schema?.type === "null";

const lengthOf = (value: unknown) => (Array.isArray(value) || typeof value === "string" ? value.length : 0);

/** Describes what a schema requires. */
export function expected(schema: TSchema): string {
  if (typeof schema.expected === "string") return schema.expected;
  if ("const" in schema) return JSON.stringify(schema.const);
  const alternatives: unknown = schema.anyOf;
  if (Array.isArray(alternatives))
    return alternatives
      .filter((one) => !isNull(one))
      .map(expected)
      .join(" or ");
  const type: unknown = schema.type;
  return typeof type === "string" ? `${/^[aio]/.test(type) ? "an" : "a"} ${type}` : "another value";
}

/** A value as it may are in a message: short, and never a whole document. */
export function show(value: unknown): string {
  if (value === undefined) return "nothing";
  if (value === null) return "null";
  if (Array.isArray(value)) return value.length === 0 ? "an empty array" : "an array";
  if (typeof value === "object") return "an object";
  const text = JSON.stringify(value) ?? String(value);
  return text.length > 60 ? `${text.slice(0, 57)}…` : text;
}
