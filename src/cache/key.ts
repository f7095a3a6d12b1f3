/**
 * The cache key of an input: a hash over everything that affects its vector, and nothing else.
 * A new thing that affects a vector is a member of `KeyedBy`; a change of what is hashed raises FORMAT.
 */

import { GatewayError } from "../domain/errors";
import type { ModelFacts } from "../domain/facts";
import type { EmbedRequest, Route } from "../domain/request";
import { sameness } from "../domain/tasks";
import type { Input } from "../plugin";
import type { CacheKey } from "./entry";

const FORMAT = "embedgate cache key 3";

/**
 * The facts of a model that affect its vectors: whether the model or the gateway shortens them, who normalises them, where
 * a long text is cut, and the vocabulary of token ids. If one of them changes, earlier vectors are not found any more.
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
  /** The workspace; null if all workspaces share the cache. */
  readonly scope: string | null;
  /**
   * The model's own id. A space may contain several models with comparable vectors (a large one for documents, a small one for
   * queries), but one model's vector is not the other's.
   */
  readonly model: string;
  readonly space: string;
  /** Dimensions of the vector that the caller gets; undefined if unknown before the answer. */
  readonly dimensions: number | undefined;
  /** What is known about the model. */
  readonly facts: Pick<ModelFacts, DecidingFact>;
  /** undefined if the request names none. */
  readonly task: string | undefined;
  /** The title, and the other fields that the route's plugin declares. */
  readonly fields: Readonly<Record<string, unknown>>;
  readonly extraBody: Readonly<Record<string, unknown>>;
}

/**
 * Everything that affects the vectors of a request. Left out on purpose: an alias, user, metadata and the encoding of the answer.
 * @param workspace the request's workspace, or null if `cache.shared` is on
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
 * One key per input, in order. Takes the inputs as the caller wrote them: token ids stay ids here, even if the provider is sent
 * their text.
 * @throws GatewayError invalid for fields nested so deeply that JSON cannot write them
 */
export function cacheKeys(about: KeyedBy, inputs: readonly Input[]): readonly CacheKey[] {
  const { hash } = commonOf(about);
  return inputs.map((input) => hashed(hash, input));
}

/** A text of this length is hashed in less time than copying, comparing and storing it would take. */
const PLAIN_LENGTH_MAX = 512;

/**
 * Keys for a request whose results are not cached, only compared with inputs in flight: a short text is its own key, which saves a hash.
 * @throws GatewayError like cacheKeys
 */
export function passingKeys(about: KeyedBy, inputs: readonly Input[]): readonly CacheKey[] {
  const { hash, prefix } = commonOf(about);
  return inputs.map((input) =>
    typeof input === "string" && input.length <= PLAIN_LENGTH_MAX ? prefix + input : hashed(hash, input),
  );
}

interface Common {
  /** Of a fixed length, so that no content can shift the boundary. */
  readonly hash: Uint8Array;
  /** The same in digits, before a text that is its own key: together longer than every hash. */
  readonly prefix: string;
}

/** The one that was used last. */
let latest: { readonly about: KeyedBy; readonly common: Common } | undefined;

function commonOf(about: KeyedBy): Common {
  const { scope, model, space, dimensions, facts, task, fields, extraBody } = about;
  if (task !== undefined || hasMembers(fields) || hasMembers(extraBody)) return hashOf(about);
  if (latest && isAlike(latest.about, about)) return latest.common;
  // Most requests have no settings of their own: the same model, dimensions and workspace again and again.
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
  latest = { about, common };
  return common;
}

/** For two without settings of their own. */
const isAlike = (one: KeyedBy, other: KeyedBy) =>
  one.facts === other.facts &&
  one.scope === other.scope &&
  one.model === other.model &&
  one.space === other.space &&
  one.dimensions === other.dimensions;

function hashOf(about: KeyedBy): Common {
  const hash = new Bun.CryptoHasher("sha256").update(canonical(about)).digest();
  return { hash, prefix: `${hash.toHex()}:` };
}

const commons = new WeakMap<KeyedBy["facts"], Map<string, Common>>();
const COMMONS_MAX = 1_000;

function hasMembers(value: Readonly<Record<string, unknown>>): boolean {
  for (const _ in value) return true;
  return false;
}

/** Texts of this length are hashed in one call, from memory that is used again. */
const SHORT_LENGTH_MAX = 1_000;
const HEAD_BYTES_MAX = 64;
const room = Buffer.alloc(HEAD_BYTES_MAX + 3 * SHORT_LENGTH_MAX);

function hashed(common: Uint8Array, input: Input): CacheKey {
  if (typeof input === "string" && input.length <= SHORT_LENGTH_MAX && input.isWellFormed()) {
    room.set(common);
    const end = common.length + room.write(`text:${Buffer.byteLength(input)}:${input}`, common.length);
    return Bun.SHA256.hash(room.subarray(0, end), "hex");
  }
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
  // UTF-8 writes every lone surrogate as the same character: two texts with different vectors would share a key.
  return input.isWellFormed()
    ? { kind: "text", bytes: Buffer.from(input, "utf8") }
    : { kind: "utf-16", bytes: Buffer.from(input, "utf16le") };
}

/** JSON escapes what would be ambiguous when joined, including lone surrogates; sorted, since the order of members does not affect the vector. */
function canonical(about: KeyedBy): string {
  const { scope, model, space, dimensions, facts, task, fields, extraBody } = about;
  // In a list, undefined keeps its place, as null.
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
  // fromEntries defines own members, including `__proto__`; an assignment would lose that one.
  return Object.fromEntries(Object.entries(value).sort(([a], [b]) => (a < b ? -1 : 1)));
}
