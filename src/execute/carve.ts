/**
 * How what is to be embedded becomes calls: by the target's limits in inputs, tokens and bytes.
 * A new limit on a call is a sum here, and a fact of the model (src/facts.ts).
 */
import type { Part, Piece } from "../domain";
import type { ModelFacts } from "../facts";

/** Consecutive pieces, as many a part as every limit allows. One that alone is over a limit goes alone: the provider decides. */
export function carve(
  pieces: readonly Piece[],
  facts: Pick<ModelFacts, "max_inputs" | "max_call_tokens" | "max_call_bytes">,
): Part[] {
  const {
    max_inputs,
    max_call_tokens = Number.POSITIVE_INFINITY,
    max_call_bytes = Number.POSITIVE_INFINITY,
  } = facts;
  const parts: Part[] = [];
  let current: Piece[] = [];
  let tokenSum = 0;
  let byteSum = 0;
  for (const piece of pieces) {
    const { input } = piece;
    const bytes = typeof input === "string" ? Buffer.byteLength(input) : 0;
    // A text's bytes bound its tokens from above: a few calls more, but never one over the limit.
    const tokens = typeof input === "string" ? bytes : input.length;
    const full =
      current.length >= max_inputs || tokenSum + tokens > max_call_tokens || byteSum + bytes > max_call_bytes;
    if (full && current.length > 0) {
      parts.push({ pieces: current });
      current = [];
      tokenSum = 0;
      byteSum = 0;
    }
    current.push(piece);
    tokenSum += tokens;
    byteSum += bytes;
  }
  if (current.length > 0) parts.push({ pieces: current });
  return parts;
}

export function halves({ pieces }: Part): [Part, Part] {
  const middle = Math.ceil(pieces.length / 2);
  return [{ pieces: pieces.slice(0, middle) }, { pieces: pieces.slice(middle) }];
}
