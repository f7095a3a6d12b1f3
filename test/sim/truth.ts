/**
 * What everybody in the simulation knows: the vector of each input, its tokens, and how an answer must show it.
 * Servers make replies from it and invariants check answers with it; nothing here is imported from src/, so that no bug there can hide.
 */

/** One text, or the token ids of one text, as in a request body. */
export type SimInput = string | readonly number[];

/** A text and a token array never have the same name, even if they look the same when printed. */
export const nameOf = (input: SimInput) =>
  typeof input === "string" ? `text ${input}` : `ids ${input.join(",")}`;

/** One token per word or id, so that everybody can count. */
export const tokensOf = (input: SimInput) =>
  typeof input === "string" ? Math.max(1, input.split(/\s+/).filter(Boolean).length) : input.length;

export const bytesOf = (input: SimInput) => (typeof input === "string" ? Buffer.byteLength(input) : 0);

export const sum = (counts: readonly number[]) => counts.reduce((total, count) => total + count, 0);

/** The most tokens that an input may be estimated at, if the provider gave no count. */
export const tokensGuessedMax = (input: SimInput) =>
  typeof input === "string" ? Math.max(1, bytesOf(input)) : input.length;

/** A model's result: float32 values in [-3.5, 3.5), which depend only on input, model and dimensions. */
export function rawVector(input: SimInput, model: string, size: number, isUnit: boolean): Float32Array {
  let state = 0x811c9dc5;
  for (const byte of new TextEncoder().encode(`${model}\n${size}\n${nameOf(input)}`))
    state = Math.imul(state ^ byte, 0x01000193) >>> 0;
  state ||= 1;
  const raw = new Float32Array(size);
  for (let i = 0; i < size; i++) {
    state ^= state << 13;
    state ^= state >>> 17;
    state ^= state << 5;
    raw[i] = ((state | 0) / 2 ** 31) * 3.5;
  }
  return isUnit ? unit(raw) : raw;
}

function unit(vector: Float32Array): Float32Array {
  let squares = 0;
  for (const value of vector) squares += value * value;
  const length = Math.sqrt(squares);
  return vector.map((value) => value / length);
}

export function base64Of(vector: Float32Array): string {
  return Buffer.from(vector.buffer, vector.byteOffset, vector.byteLength).toString("base64");
}

/** A model as its servers have it. */
export interface SimModel {
  /** Its id at the gateway. */
  readonly id: string;
  /** Its name at the vendor. */
  readonly vendorName: string;
  /** Whether the gateway's catalogue has that name. */
  readonly isKnown: boolean;
  readonly dimensions: number;
  /** one: a single size. native: the server makes smaller ones. truncate: the gateway cuts and renormalises. */
  readonly sizes: "one" | "native" | "truncate";
  readonly isUnit: boolean;
  readonly takesTokenIds: boolean;
  readonly inputsMax: number;
  readonly callTokensMax: number | undefined;
  readonly callBytesMax: number | undefined;
  /** A limit that the routing file does not have: the server reports it when it is exceeded. */
  readonly hiddenCallTokensMax: number | undefined;
  /** The same for one input. */
  readonly hiddenInputTokensMax: number | undefined;
  /** The limit in tokens of cl100k_base, which the gateway counts before it sends a text; undefined: no vocabulary, and no text is too long. */
  readonly countedTokensMax: number | undefined;
  readonly wireEncoding: "float" | "base64";
  /** Whole pico-USD per token. */
  readonly price: number;
  /** Names of servers, as in the routes. */
  readonly servers: readonly [string, ...string[]];
  /** The weight of each if requests are distributed by weight; undefined: they are tried in order. */
  readonly weights: readonly number[] | undefined;
  /** The hedge delay of single-input requests; undefined: never. */
  readonly hedgeAfterMs: number | undefined;
  /** Servers that compute another model under its name, unknown to the routing file: never the first. */
  readonly strangers: readonly string[];
}

/** What a client must get. */
export function rightVector(input: SimInput, model: SimModel, asked: number | undefined): Float32Array {
  const size = asked ?? model.dimensions;
  if (model.sizes !== "truncate" || size === model.dimensions) {
    const vector = rawVector(input, model.vendorName, size, model.isUnit);
    // A vector that is within a thousandth of unit length is left as it is.
    return Math.abs(Math.hypot(...vector) - 1) <= 1e-3 ? vector : unit(vector);
  }
  return unit(rawVector(input, model.vendorName, model.dimensions, model.isUnit).slice(0, size));
}
