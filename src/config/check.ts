/**
 * Checks values against a schema and reports every violation at its position in the file, with the nearest known key.
 * Used for the routing file and, with the plugin's own schema, for each provider's options.
 */
import type { TObject, TSchema } from "@sinclair/typebox";
import { type ValueError, ValueErrorType } from "@sinclair/typebox/errors";
import { Value } from "@sinclair/typebox/value";
import { nearestName } from "../domain/nearest";
import { placeOfKey } from "./elsewhere";
import { expected, shown } from "./expected";
import { type Problem, parentOf, stepsOf } from "./problem";
import type { Tree } from "./tree";

export interface CheckAgainst {
  readonly schema: TSchema;
  /** Changed in place: text that consisted of one variable becomes the number or boolean that it stands for. */
  readonly value: unknown;
  /** Where the value is in the file. */
  readonly pointer: string;
  /** Further keys that are allowed beside the schema's own at `pointer`: only for "did you mean". */
  readonly knownBeside?: readonly string[];
}

/** @returns every violation; unknown keys are removed from the value, so that the rest can still be checked. */
export function check(tree: Tree, { schema, value, pointer, knownBeside = [] }: CheckAgainst): Problem[] {
  for (const breach of breachesOf(schema, value)) convertVariable(tree, value, pointer, breach);
  const problems: Problem[] = [];
  const told = new Set<string>();
  for (const breach of breachesOf(schema, value)) {
    const place = pointer + breach.path;
    if (told.has(place) || tree.broken.has(place) || waitsForVariable(tree, place, breach)) continue;
    told.add(place);
    if (breach.type === ValueErrorType.ObjectAdditionalProperties) {
      const beside = parentOf(place) === pointer ? knownBeside : [];
      problems.push(tree.problem(place, unknownKey(breach, [...keysOf(breach.schema), ...beside]), "key"));
      removeAt(value, breach.path);
    } else {
      const isCollection = typeof breach.value === "object" && breach.value !== null;
      problems.push(tree.problem(place, sentence(tree, place, breach), isCollection ? "key" : "value"));
    }
  }
  return problems;
}

/** Violations of a union are reported for the one alternative of the value's own type, if there is exactly one. */
function* breachesOf(schema: TSchema, value: unknown): Generator<ValueError> {
  for (const error of [...Value.Errors(schema, value)]) yield* leavesOf(error);
}

function* leavesOf(error: ValueError): Generator<ValueError> {
  const alternatives: unknown = error.schema.anyOf;
  const kind = Array.isArray(error.value)
    ? "array"
    : typeof error.value === "object" && error.value !== null
      ? "object"
      : undefined;
  if (error.type !== ValueErrorType.Union || kind === undefined || !Array.isArray(alternatives)) {
    yield error;
    return;
  }
  const ofKind = error.errors.filter((_, i) => alternatives[i]?.type === kind);
  const [only] = ofKind;
  if (ofKind.length !== 1 || only === undefined) yield error;
  else for (const inner of [...only]) yield* leavesOf(inner);
}

function convertVariable(tree: Tree, root: unknown, pointer: string, breach: ValueError): void {
  if (typeof breach.value !== "string" || !tree.whole.has(pointer + breach.path)) return;
  const text = breach.value.trim();
  const truth = text === "true" ? true : text === "false" ? false : undefined;
  const number = /^[+-]?(\d+(?:\.\d*)?|\.\d+)(e[+-]?\d+)?$/i.test(text) ? Number(text) : undefined;
  const converted = truth ?? number;
  // A number out of range is converted too, so that the message names the range.
  if (converted === undefined || !wants(breach.schema, typeof converted)) return;
  const holder = valueAt(root, parentOf(breach.path));
  const key = stepsOf(breach.path).at(-1);
  if (typeof holder === "object" && holder !== null && key !== undefined) Reflect.set(holder, key, converted);
}

function wants(schema: TSchema, type: string): boolean {
  const alternatives: unknown = schema.anyOf;
  if (Array.isArray(alternatives)) return alternatives.some((one: TSchema) => wants(one, type));
  if ("const" in schema) return typeof schema.const === type;
  return schema.type === type || (type === "number" && schema.type === "integer");
}

/** The value of an unset variable cannot be checked yet. */
function waitsForVariable(tree: Tree, place: string, breach: ValueError): boolean {
  if (tree.missing.has(place)) return true;
  if (breach.type !== ValueErrorType.Union) return false;
  return [...tree.missing.keys()].some((missing) => missing.startsWith(`${place}/`));
}

function unknownKey(breach: ValueError, known: readonly string[]): string {
  const key = stepsOf(breach.path).at(-1) ?? "";
  const near = nearestName(key, known);
  if (near !== undefined) return `unknown key; did you mean "${near}"?`;
  const elsewhere = placeOfKey(key);
  if (elsewhere !== undefined) return `unknown key here; it belongs to ${elsewhere}`;
  return known.length === 0 ? "unknown key" : `unknown key; known keys: ${known.join(", ")}`;
}

function keysOf(schema: TSchema): string[] {
  return Object.keys(schema.properties ?? {});
}

function sentence(tree: Tree, place: string, breach: ValueError): string {
  const wanted = expected(breach.schema);
  if (breach.type === ValueErrorType.ObjectRequiredProperty) {
    const { description } = breach.schema;
    return `is missing; expected ${wanted}${description === undefined ? "" : `: ${lowerFirst(description)}`}`;
  }
  const hint =
    breach.schema.type === "string" && typeof breach.value === "number" ? "; put it in quotes" : "";
  if (breach.type === ValueErrorType.StringMaxLength)
    return `expected ${wanted}, got ${String(breach.value).length}`;
  return `expected ${wanted}, got ${shown(tree, place, breach.value)}${hint}`;
}

/** A description as the end of a sentence. */
function lowerFirst(description: string): string {
  return `${description.charAt(0).toLowerCase()}${description.slice(1)}`.replace(/\.$/, "");
}

function valueAt(root: unknown, path: string): unknown {
  let value = root;
  for (const step of stepsOf(path)) {
    if (typeof value !== "object" || value === null || !Object.hasOwn(value, step)) return undefined;
    value = Reflect.get(value, step);
  }
  return value;
}

function removeAt(root: unknown, path: string): void {
  const holder = valueAt(root, parentOf(path));
  const key = stepsOf(path).at(-1);
  if (typeof holder === "object" && holder !== null && key !== undefined) Reflect.deleteProperty(holder, key);
}

/** The schema with unknown keys refused, as the contract says, if a plugin's author did not say so. */
export function closedSchema(schema: TObject): TObject {
  return schema.additionalProperties === undefined ? { ...schema, additionalProperties: false } : schema;
}
