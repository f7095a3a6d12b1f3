/**
 * What a schema asks for and what a file gave instead, in a reader's words and without secrets.
 * A new kind of schema in the routing file or in a plugin's options gets its wording in `expected`.
 */
import type { TSchema } from "@sinclair/typebox";
import { stepsOf } from "./problem";
import { RoutingFile } from "./schema";
import type { Tree } from "./tree";

/** @returns the schema's own `expected` where it has one, such as a pattern's meaning */
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

/** The value at a place as it may be shown: what a variable gave, or what looks like a secret, is not. */
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

/** A name as it may be shown, in quotes. */
export function shownName(tree: Tree, pointer: string, name: string): string {
  return quoted(asWritten(tree, pointer, name));
}

/** A value as it may be shown: where a variable went into it, as the file writes it. */
export function asWritten(tree: Tree, pointer: string, value: string): string {
  const written = tree.written.get(pointer);
  return written === undefined ? value : withoutDefaults(written);
}

/** A default may be a secret too, also one that never ends. */
function withoutDefaults(written: string): string {
  return written.replaceAll(/(\$\{[A-Za-z_][A-Za-z0-9_]*):-[^}]*\}?/g, "$1}");
}

export function quoted(text: string): string {
  // user:password@ in an address
  const cleaned = text.replaceAll(/\/\/[^/@\s]*@/g, "//…@");
  return JSON.stringify(cleaned.length > 60 ? `${cleaned.slice(0, 59)}…` : cleaned);
}

/** What holds a secret is called by, most likely. */
export const SECRET_WORD =
  /key|secret|token|passw|passphrase|pwd|credential|auth|bearer|private|signature|cookie|session/i;

/** The keys that the routing file itself knows, but for those marked `isSecret`: `max_input_tokens` is no secret, whatever it smells of. */
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
  // The names of providers and models are the user's: a provider called "token-shop" hides nothing.
  const named = steps[0] === "providers" || steps[0] === "models" ? steps.slice(2) : steps;
  if (named.some((step) => SECRET_WORD.test(step) && !OWN_KEYS.has(step))) return true;
  // `name: sk-…` where a mapping was meant.
  if (steps[0] === "providers" && steps.length <= 2) return true;
  // Addresses of servers that no provider has, with passwords in them.
  return steps[0] === "shared" && steps[1] !== "machines";
}
