/**
 * Turns inputs into pieces of at most 254 ids for the model, by the `long_input` policy, and the pieces' vectors back into one per input.
 * A new policy is a branch in `cut`.
 */
import type { Input, LongInput } from "../../src/plugin";
import type { Refused } from "./messages";
import { DIMENSIONS, MAX_INPUT_TOKENS } from "./sizes";
import type { Tokenizer } from "./tokenizer";

/** The most ids of text in one piece: `[CLS]` and `[SEP]` take two more. */
export const PIECE_TOKENS = MAX_INPUT_TOKENS - 2;

export interface Pieces {
  readonly kind: "pieces";
  /** Each input's pieces, in order; every input has at least one, which may be empty. */
  readonly byInput: readonly (readonly Piece[])[];
  readonly tokensByInput: readonly number[];
  readonly truncated: readonly number[];
  readonly averaged: readonly number[];
}

/** Ids without `[CLS]` and `[SEP]`. */
export type Piece = ArrayLike<number>;

/** Cuts every input as `longInput` says. If an input is invalid, the whole call is refused. */
export function cut(inputs: readonly Input[], longInput: LongInput, tokenizer: Tokenizer): Pieces | Refused {
  const byInput: Piece[][] = [];
  const truncated: number[] = [];
  const averaged: number[] = [];
  const tokensByInput: number[] = [];
  // For `truncate` one id more than fits is enough to see that a text is too long.
  const enough = longInput === "truncate" ? PIECE_TOKENS + 1 : undefined;
  for (const [place, input] of inputs.entries()) {
    const refusal = typeof input === "string" ? undefined : refuseUnknownIds(input, place, tokenizer);
    if (refusal !== undefined) return refusal;
    const ids = typeof input === "string" ? tokenizer.encode(input, enough) : input;
    if (ids.length <= PIECE_TOKENS) {
      byInput.push([ids]);
      tokensByInput.push(ids.length);
    } else if (longInput === "reject") {
      return tooLong(ids.length, place);
    } else if (longInput === "truncate") {
      byInput.push([ids.slice(0, PIECE_TOKENS)]);
      tokensByInput.push(PIECE_TOKENS);
      truncated.push(place);
    } else {
      const pieces: Piece[] = [];
      for (let from = 0; from < ids.length; from += PIECE_TOKENS)
        pieces.push(ids.slice(from, from + PIECE_TOKENS));
      byInput.push(pieces);
      tokensByInput.push(ids.length);
      averaged.push(place);
    }
  }
  return { kind: "pieces", byInput, tokensByInput, truncated, averaged };
}

function refuseUnknownIds(ids: Uint32Array, place: number, tokenizer: Tokenizer): Refused | undefined {
  const unknown = ids.find((id) => id >= tokenizer.size);
  if (unknown === undefined) return undefined;
  return {
    kind: "refused",
    failure: "invalid",
    message: `The token id ${unknown} is not in this model's vocabulary: ids go from 0 to ${tokenizer.size - 1}, in its own WordPiece vocabulary.`,
    about: { input: place, field: "input" },
  };
}

function tooLong(length: number, place: number): Refused {
  return {
    kind: "refused",
    failure: "input_too_long",
    message:
      `The input has ${length} tokens, and this model takes ${PIECE_TOKENS} (${MAX_INPUT_TOKENS} with its two special tokens). ` +
      "Shorten or split it, or set the model's long_input to truncate or average.",
    about: { input: place },
  };
}

/**
 * One vector per input: that of its piece, or the mean of its pieces' vectors weighted by their tokens and scaled to length 1.
 * @param vectors [piece][DIMENSIONS], the pieces of all inputs in order
 * @returns [input][DIMENSIONS]
 */
export function join(
  byInput: Pieces["byInput"],
  vectors: Float32Array<ArrayBuffer>,
): Float32Array<ArrayBuffer> {
  const joined = new Float32Array(byInput.length * DIMENSIONS);
  let from = 0;
  for (const [place, pieces] of byInput.entries()) {
    const to = from + pieces.length * DIMENSIONS;
    const own = vectors.subarray(from, to);
    joined.set(pieces.length === 1 ? own : weightedMean(pieces, own), place * DIMENSIONS);
    from = to;
  }
  return joined;
}

function weightedMean(pieces: readonly Piece[], vectors: Float32Array): Float64Array {
  const sum = new Float64Array(DIMENSIONS);
  for (const [place, piece] of pieces.entries()) {
    const vector = vectors.subarray(place * DIMENSIONS, (place + 1) * DIMENSIONS);
    for (const [i, value] of vector.entries()) sum[i] = (sum[i] ?? 0) + piece.length * value;
  }
  // The result is scaled to length 1 anyway, so the sum need not be divided by all tokens.
  const length = Math.hypot(...sum);
  return sum.map((value) => value / length);
}
