/**
 * How what is to be embedded becomes calls: by the target's limits in inputs, tokens and bytes.
 * A new limit on a call is a sum here, and a fact of the model (src/facts.ts).
 */
import type { Part, Piece } from "../domain";
import type { ModelFacts } from "../facts";

type Limits = Pick<ModelFacts, "max_inputs" | "max_call_tokens" | "max_call_bytes">;

/** Consecutive pieces, as many a part as every limit allows. One that alone is over a limit goes alone: the provider decides. */
export function carve(pieces: readonly Piece[], limits: Limits): Part[] {
  const parts: Part[] = [];
  for (let from = 0; from < pieces.length; ) {
    const part = carveOne(pieces, from, limits);
    parts.push(part);
    from += part.pieces.length;
  }
  return parts;
}

/** The part that begins with the piece at `from`. */
export function carveOne(pieces: readonly Piece[], from: number, limits: Limits): Part {
  const {
    max_inputs,
    max_call_tokens = Number.POSITIVE_INFINITY,
    max_call_bytes = Number.POSITIVE_INFINITY,
  } = limits;
  let tokenSum = 0;
  let byteSum = 0;
  let end = from;
  for (let piece = pieces[end]; piece && end - from < max_inputs; piece = pieces[end]) {
    const { input } = piece;
    const bytes = typeof input === "string" ? Buffer.byteLength(input) : 0;
    // A text's bytes bound its tokens from above: a few calls more, but never one over the limit.
    tokenSum += typeof input === "string" ? bytes : input.length;
    byteSum += bytes;
    if (end > from && (tokenSum > max_call_tokens || byteSum > max_call_bytes)) break;
    end += 1;
  }
  return { pieces: pieces.slice(from, end) };
}

export function halves({ pieces }: Part): [Part, Part] {
  const middle = Math.ceil(pieces.length / 2);
  return [{ pieces: pieces.slice(0, middle) }, { pieces: pieces.slice(middle) }];
}
