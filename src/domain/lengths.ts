/**
 * The lengths of a target's vectors, as far as they were seen: from its answers (src/execute/lengths.ts), and from its vectors of the probe texts
 * that another process, or an earlier start, has measured (src/spaces/spaces.ts).
 */

/** By the size of the vectors: how many came, how many of them of length 1, and the last length far from it. */
export type LengthsSeen = Map<number, { all: number; unit: number; far: number | undefined }>;

/** What float32 and 16 bits on a server's way leave of a unit vector's length; a vector that was not normalised is far from it. */
const UNIT_TOLERANCE = 1e-3;
export const isOffUnit = (norm: number) => Math.abs(norm - 1) > UNIT_TOLERANCE;

/** Coarser numbers (8 bits, few decimals) leave unit vectors nearer to 1 than that. */
const FAR = 0.05;
const isFar = (norm: number) => Math.abs(norm - 1) > FAR;

export function countLengths(lengthsSeen: LengthsSeen, size: number, lengths: Iterable<number>) {
  const seen = lengthsSeen.get(size) ?? { all: 0, unit: 0, far: undefined };
  lengthsSeen.set(size, seen);
  for (const norm of lengths) {
    seen.all += 1;
    if (!isOffUnit(norm)) seen.unit += 1;
    else if (isFar(norm)) seen.far = norm;
  }
  return seen;
}
