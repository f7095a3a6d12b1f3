/**
 * The cache key of an input: a hash over everything that decides its vector, and over nothing else.
 * A new thing that decides a vector is a member of `KeyedBy`; a change of what is hashed raises FORMAT.
 */

import { GatewayError } from "../domain/errors";
import type { ModelFacts } from "../domain/facts";
import type { EmbedRequest, Route } from "../domain/request";
import { sameness } from "../domain/tasks";
import type { Input } from "../plugin";
import type { CacheKey } from "./entry";

const FORMAT = "embedgate cache key 3";

/**
 * The facts of a model that decide how its vectors come about: whether it makes a size itself or the gateway cuts, who normalises, where
 * a long text is cut, what token ids are ids of. When one of them changes, earlier vectors are not found any more.
 */
const DECIDING_FACTS = [
  "dimensions",
  "dimensions_allowed",
  "dimensions_policy",
  "normalized",
  "long_input",
  "max_input_tokens",
  "tokenizer",
  "token_ids",
  "prompts",
  "default_task",
] as const satisfies readonly (keyof ModelFacts)[];
type DecidingFact = (typeof DECIDING_FACTS)[number];

/** What all inputs of one request have in common. */
export interface KeyedBy {
  /** The workspace; null where all workspaces share. */
  readonly scope: string | null;
  /**
   * The model's own id. A space may hold several models whose vectors can be compared (a large one for documents, a small one for
   * queries), and they are still not each other's vectors.
   */
  readonly model: string;
  readonly space: string;
  /** Numbers in the vector that the caller gets; undefined where it is unknown before the answer. */
  readonly dimensions: number | undefined;
  /** What is known of the model. */
  readonly facts: Pick<ModelFacts, DecidingFact>;
  /** Undefined where the request says none. */
  readonly task: string | undefined;
  /** Title and whatever else the route's plugin declared. */
  readonly fields: Readonly<Record<string, unknown>>;
  readonly extraBody: Readonly<Record<string, unknown>>;
}

/**
 * What decides the vectors of a request. Left out on purpose: the alias it was asked by, user, metadata and the encoding of the answer.
 * @param workspace whose request it is, or null when `cache.shared` is on
 */
export function keyedBy(
  request: Pick<EmbedRequest, "dimensions" | "task" | "fields" | "extraBody">,
  { id, space, facts }: Pick<Route, "id" | "space" | "facts">,
  workspace: string | null,
): KeyedBy {
  return {
    scope: workspace,
    model: id,
    space,
    dimensions: request.dimensions ?? facts.dimensions,
    facts,
    task: request.task && sameness(request.task),
    fields: request.fields,
    extraBody: request.extraBody,
  };
}

/**
 * One key for each input, in order. Takes the inputs as the caller wrote them: token ids stay ids here, even where the provider is sent
 * the text that they stand for.
 * @throws GatewayError invalid for fields nested so deeply that JSON cannot write them
 */
export function cacheKeys(about: KeyedBy, inputs: readonly Input[]): readonly CacheKey[] {
  const common = commonOf(about);
  return inputs.map((input) => hashed(common, input));
}

/** So long a text is hashed in less time than it is copied, compared and held in. */
const PLAIN_LENGTH_MAX = 512;

/**
 * Keys under which nothing is kept, only found equal while it is under way: a short text stands for itself, which costs no hash.
 * @throws GatewayError as cacheKeys
 */
export function passingKeys(about: KeyedBy, inputs: readonly Input[]): readonly CacheKey[] {
  const common = commonOf(about);
  // Longer than any hash.
  const prefix = `${common.toHex()}:`;
  return inputs.map((input) =>
    typeof input === "string" && input.length <= PLAIN_LENGTH_MAX ? prefix + input : hashed(common, input),
  );
}

/** Hashed once, to a fixed length that no content can shift. */
function commonOf(about: KeyedBy): Uint8Array {
  const { scope, model, space, dimensions, facts, task, fields, extraBody } = about;
  if (task !== undefined || hasMembers(fields) || hasMembers(extraBody)) return hashOf(about);
  // Most requests say nothing of their own: one model, size and workspace again and again.
  let known = commons.get(facts);
  if (!known) {
    known = new Map();
    commons.set(facts, known);
  }
  const name = JSON.stringify([scope, model, space, dimensions]);
  let common = known.get(name);
  if (!common) {
    common = hashOf(about);
    if (known.size >= COMMONS_MAX) known.clear();
    known.set(name, common);
  }
  return common;
}

const hashOf = (about: KeyedBy) => new Bun.CryptoHasher("sha256").update(canonical(about)).digest();

const commons = new WeakMap<KeyedBy["facts"], Map<string, Uint8Array>>();
const COMMONS_MAX = 1_000;

function hasMembers(value: Readonly<Record<string, unknown>>): boolean {
  for (const _ in value) return true;
  return false;
}

function hashed(common: Uint8Array, input: Input): CacheKey {
  const { kind, bytes } = contentOf(input);
  return new Bun.CryptoHasher("sha256")
    .update(common)
    .update(`${kind}:${bytes.byteLength}:`)
    .update(bytes)
    .digest("hex");
}

function contentOf(input: Input): { kind: string; bytes: Uint8Array } {
  if (typeof input !== "string") {
    return { kind: "ids", bytes: new Uint8Array(input.buffer, input.byteOffset, input.byteLength) };
  }
  // UTF-8 writes every lone surrogate as the same character: two texts, and two vectors, would share a key.
  return input.isWellFormed()
    ? { kind: "text", bytes: Buffer.from(input, "utf8") }
    : { kind: "utf-16", bytes: Buffer.from(input, "utf16le") };
}

/** JSON escapes what would be ambiguous in a join, lone surrogates included; sorted, since the order of keys decides no vector. */
function canonical(about: KeyedBy): string {
  const { scope, model, space, dimensions, facts, task, fields, extraBody } = about;
  // In a list, what is undefined keeps its place, as null.
  const deciding = DECIDING_FACTS.map((name) => facts[name]);
  const all = [FORMAT, scope, model, space, dimensions, deciding, task, fields, extraBody];
  try {
    return JSON.stringify(all, (_, value: unknown) => sorted(value));
  } catch (cause) {
    // Bun parses deeper JSON than it can write: such a body could not be sent on either.
    if (!(cause instanceof RangeError)) throw cause;
    throw new GatewayError("invalid", "The request is nested too deeply.", { cause });
  }
}

function sorted(value: unknown): unknown {
  if (typeof value !== "object" || value === null || Array.isArray(value)) return value;
  // fromEntries defines own keys, `__proto__` among them; an assignment would lose that one.
  return Object.fromEntries(Object.entries(value).sort(([a], [b]) => (a < b ? -1 : 1)));
}
