/**
 * How inputs are divided into calls: by the target's limits in inputs, tokens and bytes.
 * A new limit on a call is a sum here, and a fact of the model (src/domain/facts.ts).
 */

import type { ModelFacts } from "../domain/facts";
import type { Part, Piece } from "../domain/request";

export type Limits = Pick<ModelFacts, "max_inputs" | "max_call_tokens" | "max_call_bytes"> & {
  /** A longer text is sent alone. */
  readonly max_shared_bytes?: number | undefined;
};

/** Consecutive pieces, as many per part as every limit allows. A piece that alone exceeds a limit is sent alone: the provider decides. */
export function carve(pieces: readonly Piece[], limits: Limits): Part[] {
  const parts: Part[] = [];
  for (let from = 0; from < pieces.length; ) {
    const part = carveOne(pieces, from, limits);
    parts.push(part);
    from += part.pieces.length;
  }
  return parts;
}

/** The part that starts with the piece at index `from`. */
export function carveOne(pieces: readonly Piece[], from: number, limits: Limits): Part {
  // The first piece is always taken, whatever the limits are.
  if (from === pieces.length - 1) return from === 0 ? { pieces } : { pieces: pieces.slice(from) };
  const call = carrying(limits);
  let end = from;
  for (let piece = pieces[end]; piece && call.take(piece); piece = pieces[end]) end += 1;
  return { pieces: pieces.slice(from, end) };
}

/** A call that is filled piece by piece. */
export interface Carrying {
  /** @returns whether the piece was added; the first one always is */
  take(piece: Piece): boolean;
  /** No further piece fits. */
  isFull(): boolean;
}

export function carrying({
  max_inputs,
  max_call_tokens = Number.POSITIVE_INFINITY,
  max_call_bytes = Number.POSITIVE_INFINITY,
  max_shared_bytes = Number.POSITIVE_INFINITY,
}: Limits): Carrying {
  let isTaken = false;
  let count = 0;
  let tokenSum = 0;
  let byteSum = 0;
  return {
    take({ input }) {
      if (count >= max_inputs || isTaken) return false;
      const bytes = typeof input === "string" ? Buffer.byteLength(input) : 0;
      // A text has at most as many tokens as bytes. Counting bytes makes a few more calls but never exceeds the limit.
      const tokens = typeof input === "string" ? bytes : input.length;
      if (count > 0 && (tokenSum + tokens > max_call_tokens || byteSum + bytes > max_call_bytes))
        return false;
      isTaken = bytes > max_shared_bytes;
      if (isTaken && count > 0) return false;
      count += 1;
      tokenSum += tokens;
      byteSum += bytes;
      return true;
    },
    isFull: () => isTaken || count >= max_inputs || tokenSum >= max_call_tokens || byteSum >= max_call_bytes,
  };
}

export function halves({ pieces }: Part): [Part, Part] {
  const middle = Math.ceil(pieces.length / 2);
  return [{ pieces: pieces.slice(0, middle) }, { pieces: pieces.slice(middle) }];
}
