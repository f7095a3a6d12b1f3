/**
 * Reads an answer of OpenAI's API and reports everything that is wrong with it. It deliberately does not use the gateway's own readers: code that
 * checks them must not share their mistakes. A new thing to check is a member of FAULTS.
 */
import type { Encoding } from "./request";

/** What can be wrong with an answer, and the message if nothing is. */
export const FAULTS = {
  form: "replies have OpenAI's format",
  count: "one vector for each text",
  index: "each index appears once",
  size: "all vectors have the same dimensions",
  number: "all numbers are finite",
  zeros: "no vector is all zeros",
} as const;
export type Fault = keyof typeof FAULTS;

export interface Answer {
  /** In the order of the texts; none if it is unknown which vector belongs to which text. */
  readonly vectors: readonly Float32Array[];
  /** Whether they also arrived in that order. */
  readonly inOrder: boolean;
  readonly encoding: Encoding | undefined;
  /** The count in its usage. */
  readonly tokens: number | undefined;
  /** The first error of each kind, as a message. */
  readonly faults: ReadonlyMap<Fault, string>;
}

/** @param inputs how many texts were sent */
export function readAnswer(body: Uint8Array, inputs: number): Answer {
  const faults = new Map<Fault, string>();
  const fault = (kind: Fault, words: string) => {
    if (!faults.has(kind)) faults.set(kind, words);
  };
  const parsed = parsedJson(body);
  const data = memberOf(parsed, "data");
  if (parsed === undefined) fault("form", `not JSON: ${startOf(body)}`);
  else if (!Array.isArray(data)) fault("form", `no list "data": ${startOf(body)}`);
  const entries: readonly unknown[] = Array.isArray(data) ? data : [];
  if (Array.isArray(data) && entries.length !== inputs)
    fault("count", `${entries.length} vectors for ${inputs} texts`);

  const vectors: Float32Array[] = [];
  let inOrder = true;
  let encoding: Encoding | undefined;
  for (const [place, entry] of entries.entries()) {
    const index = memberOf(entry, "index");
    inOrder &&= index === place;
    if (typeof index !== "number" || !Number.isInteger(index) || index < 0 || index >= inputs) {
      fault("index", `the index ${JSON.stringify(index) ?? "is missing"} at place ${place}`);
      continue;
    }
    if (vectors[index]) fault("index", `the index ${index} twice`);
    const embedding = memberOf(entry, "embedding");
    const vector = numbersOf(embedding);
    encoding ??= typeof embedding === "string" ? "base64" : "float";
    if (typeof vector === "string") fault("form", `${vector}, of text ${index}`);
    else vectors[index] = vector;
  }
  for (const [index, vector] of vectors.entries()) {
    if (!vector) continue;
    const size = vectors.find(Boolean)?.length;
    if (vector.length !== size) fault("size", `one of ${size} numbers, and one of ${vector.length}`);
    const soundness = soundnessOf(vector);
    if (soundness !== "sound") fault(soundness, `the vector of text ${index}`);
  }
  const isKnownWhose = !(["form", "count", "index"] as const).some((kind) => faults.has(kind));
  return { vectors: isKnownWhose ? vectors : [], inOrder, encoding, tokens: tokensOf(parsed), faults };
}

function soundnessOf(vector: Float32Array): "sound" | "number" | "zeros" {
  let isZero = true;
  for (const value of vector) {
    if (!Number.isFinite(value)) return "number";
    isZero &&= value === 0;
  }
  return isZero ? "zeros" : "sound";
}

/** @returns a message if it is not a valid vector */
function numbersOf(embedding: unknown): Float32Array | string {
  if (typeof embedding === "string") return decoded(embedding);
  if (!Array.isArray(embedding)) return "an embedding that is neither a list nor base64";
  // null would become 0, and a string its number.
  for (const value of embedding)
    if (typeof value !== "number") return `${JSON.stringify(value)} among the numbers of an embedding`;
  return Float32Array.from(embedding);
}

function decoded(text: string): Float32Array | string {
  try {
    const bytes = Uint8Array.fromBase64(text);
    return bytes.byteLength % 4 === 0
      ? new Float32Array(bytes.buffer)
      : `base64 of ${bytes.byteLength} bytes, which is not a multiple of 4 (float32)`;
  } catch {
    return "text that is not base64";
  }
}

function tokensOf(parsed: unknown): number | undefined {
  const tokens = memberOf(memberOf(parsed, "usage"), "prompt_tokens");
  return typeof tokens === "number" ? tokens : undefined;
}

export function parsedJson(body: Uint8Array): unknown {
  try {
    return JSON.parse(new TextDecoder().decode(body));
  } catch {
    return undefined;
  }
}

export function memberOf(value: unknown, name: string): unknown {
  return typeof value === "object" && value !== null ? Reflect.get(value, name) : undefined;
}

/** For people, in one line. */
export function startOf(body: Uint8Array): string {
  const text = new TextDecoder().decode(body.subarray(0, 1000)).replace(/\s+/g, " ").trim();
  return text === "" ? "an empty body" : text.length > 120 ? `${text.slice(0, 120)}…` : text;
}

export const isBitEqual = (one: Float32Array, other: Float32Array): boolean =>
  Buffer.compare(
    new Uint8Array(one.buffer, one.byteOffset, one.byteLength),
    new Uint8Array(other.buffer, other.byteOffset, other.byteLength),
  ) === 0;
