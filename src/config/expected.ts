/**
 * Describes what a schema expects and what a file has instead, in plain words and without secrets.
 * A new kind of schema in the routing file or in a plugin's options gets its description in `expected`.
 */
import type { TSchema } from "@sinclair/typebox";
import { stepsOf } from "./problem";
import { RoutingFile } from "./schema";
import type { Tree } from "./tree";

/** @returns the schema's own `expected` if it has one, such as the meaning of a pattern */
export function expected(schema: TSchema): string {
  if (typeof schema.expected === "string") return schema.expected;
  const alternatives: unknown = schema.anyOf;
  if (Array.isArray(alternatives)) {
    const constants = alternatives
      .filter((one: TSchema) => "const" in one)
      .map((one: TSchema) => String(one.const));
    const others = alternatives
      .filter((one: TSchema) => !("const" in one))
      .map((one: TSchema) => expected(one));
    const oneOf = constants.length > 1 ? [`one of ${constants.join(", ")}`] : constants;
    return [...others, ...oneOf].join(", or ");
  }
  if ("const" in schema) return String(schema.const);
  switch (schema.type) {
    case "integer":
      return `an integer${range(schema)}`;
    case "number":
      return `a number${range(schema)}`;
    case "boolean":
      return "true or false";
    case "string": {
      const { minLength, maxLength, pattern, format } = schema;
      if (typeof schema.expected === "string") return schema.expected;
      if (typeof pattern === "string" && pattern.startsWith("^https?://"))
        return "a URL that starts with http:// or https://, without user, ? and #";
      if (pattern !== undefined || format !== undefined)
        return `text as described: ${schema.description ?? pattern ?? format}`;
      if (maxLength !== undefined) return `text of ${minLength ?? 0} to ${maxLength} characters`;
      return minLength === 1 ? "text that is not empty" : "text";
    }
    case "array":
      return schema.minItems === 1 ? "a list of at least one" : "a list";
    case "object":
      return "a mapping";
    default:
      return schema.description ?? "another value";
  }
}

function range(schema: TSchema): string {
  const { minimum, maximum, exclusiveMinimum, exclusiveMaximum } = schema;
  const least = minimum ?? exclusiveMinimum;
  const most = maximum ?? exclusiveMaximum;
  if (least !== undefined && most !== undefined) return ` from ${least} to ${most}`;
  if (least !== undefined) return minimum === undefined ? ` above ${least}` : ` of ${least} or more`;
  return most === undefined ? "" : maximum === undefined ? ` below ${most}` : ` of ${most} at most`;
}

/** A value as it may be shown: not if it came from a variable or looks like a secret. */
export function shown(tree: Tree, pointer: string, value: unknown): string {
  if (value === undefined || value === null) return "nothing";
  if (Array.isArray(value)) return value.length === 0 ? "an empty list" : "a list";
  if (typeof value === "object") return "a mapping";
  if (isSecretPlace(pointer))
    return `${typeof value === "string" ? "text" : `a ${typeof value}`} (not shown: it may be secret)`;
  const written = tree.written.get(pointer);
  if (written !== undefined) return `what ${withoutDefaults(written)} stands for`;
  return typeof value === "string" ? quoted(value) : String(value);
}

/** A name in quotes, as it may be shown. */
export function shownName(tree: Tree, pointer: string, name: string): string {
  return quoted(asWritten(tree, pointer, name));
}

/** A value as it may be shown: as in the file if a variable was filled in. */
export function asWritten(tree: Tree, pointer: string, value: string): string {
  const written = tree.written.get(pointer);
  return written === undefined ? value : withoutDefaults(written);
}

/** A default may be a secret too, even an unclosed one. */
function withoutDefaults(written: string): string {
  return written.replaceAll(/(\$\{[A-Za-z_][A-Za-z0-9_]*):-[^}]*\}?/g, "$1}");
}

export function quoted(text: string): string {
  // user:password@ in a URL
  const cleaned = text.replaceAll(/\/\/[^/@\s]*@/g, "//…@");
  return JSON.stringify(cleaned.length > 60 ? `${cleaned.slice(0, 59)}…` : cleaned);
}

/** Likely names of secrets. */
export const SECRET_WORD =
  /key|secret|token|passw|passphrase|pwd|credential|auth|bearer|private|signature|cookie|session/i;

/** The routing file's own keys, except those marked `isSecret`: `max_input_tokens` is not a secret, whatever its name suggests. */
const OWN_KEYS = ownKeysOf(RoutingFile);

function ownKeysOf(schema: TSchema, found: Set<string> = new Set()): Set<string> {
  for (const [key, property] of Object.entries<TSchema>(schema.properties ?? {})) {
    if (property.isSecret !== true) found.add(key);
    ownKeysOf(property, found);
  }
  for (const inner of Object.values<TSchema>(schema.patternProperties ?? {})) ownKeysOf(inner, found);
  for (const inner of Object.values<TSchema>(schema.anyOf ?? {})) ownKeysOf(inner, found);
  if (schema.items !== undefined) ownKeysOf(schema.items, found);
  return found;
}

function isSecretPlace(pointer: string): boolean {
  const steps = stepsOf(pointer);
  // Users name their providers and models: a provider called "token-shop" hides nothing.
  const named = steps[0] === "providers" || steps[0] === "models" ? steps.slice(2) : steps;
  if (named.some((step) => SECRET_WORD.test(step) && !OWN_KEYS.has(step))) return true;
  // `name: sk-…` where a mapping was expected.
  if (steps[0] === "providers" && steps.length <= 2) return true;
  // URLs of servers other than providers, with passwords in them.
  return steps[0] === "shared" && steps[1] !== "machines";
}
