/**
 * What everybody in the simulation knows: the vector of each input, its tokens, and how an answer must show it.
 * Servers make replies of it and invariants check answers by it; nothing here is taken from src/, so that no fault there hides in it.
 */

/** One text, or the token ids of one text: as they stand in a request body. */
export type SimInput = string | readonly number[];

/** A text and a token array never share a name, whatever they look like when printed. */
export const nameOf = (input: SimInput) =>
  typeof input === "string" ? `text ${input}` : `ids ${input.join(",")}`;

/** One token a word or id: whoever sees an input can say its tokens. */
export const tokensOf = (input: SimInput) =>
  typeof input === "string" ? Math.max(1, input.split(/\s+/).filter(Boolean).length) : input.length;

export const bytesOf = (input: SimInput) => (typeof input === "string" ? Buffer.byteLength(input) : 0);

export const sum = (counts: readonly number[]) => counts.reduce((total, count) => total + count, 0);

/** The most that a stranger may take an input for, where the provider did not say its tokens. */
export const tokensGuessedMax = (input: SimInput) =>
  typeof input === "string" ? Math.max(1, bytesOf(input)) : input.length;

/** What a model's server computes: float32 values in [-3.5, 3.5), a function of input, model and size alone. */
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
  /** The gateway's catalogue has that name. */
  readonly isKnown: boolean;
  readonly dimensions: number;
  /** one: no other size. native: the server makes smaller ones. truncate: the gateway cuts and renormalises. */
  readonly sizes: "one" | "native" | "truncate";
  readonly isUnit: boolean;
  readonly takesTokenIds: boolean;
  readonly inputsMax: number;
  readonly callTokensMax: number | undefined;
  readonly callBytesMax: number | undefined;
  /** A limit that the routing file does not know: the server tells it when it is passed. */
  readonly hiddenCallTokensMax: number | undefined;
  /** Likewise for one input. */
  readonly hiddenInputTokensMax: number | undefined;
  /** Tokens of cl100k_base in a text, which the gateway counts before it sends one; undefined: it knows no vocabulary, and no text is too long. */
  readonly countedTokensMax: number | undefined;
  readonly wireEncoding: "float" | "base64";
  /** Whole pico-USD a token. */
  readonly price: number;
  /** Names of servers, as the routes have them. */
  readonly servers: readonly [string, ...string[]];
  /** How much of it each gets, where requests are shared out; undefined: they are tried in order. */
  readonly weights: readonly number[] | undefined;
  /** When a request for one input is sent a second time; undefined: never. */
  readonly hedgeAfterMs: number | undefined;
  /** Those of them that compute another model under its name, unknown to the routing file: never the first. */
  readonly strangers: readonly string[];
}

/** What a client must be given. */
export function rightVector(input: SimInput, model: SimModel, asked: number | undefined): Float32Array {
  const size = asked ?? model.dimensions;
  if (model.sizes !== "truncate" || size === model.dimensions) {
    const vector = rawVector(input, model.vendorName, size, model.isUnit);
    // One that happens to be of unit length, within a thousandth, is left as it is.
    return Math.abs(Math.hypot(...vector) - 1) <= 1e-3 ? vector : unit(vector);
  }
  return unit(rawVector(input, model.vendorName, model.dimensions, model.isUnit).slice(0, size));
}
