/**
 * The lengths of a target's vectors that were observed: in its answers (src/execute/lengths.ts), and in its vectors of the probe texts, which
 * another process or an earlier start may have measured (src/spaces/spaces.ts).
 */

/** By dimensions: how many vectors there were, how many of them had length 1, and the last length far from 1. */
export type LengthsSeen = Map<number, { all: number; unit: number; far: number | undefined }>;

/** The error of a unit vector's length after float32 and 16-bit arithmetic; a vector that was not normalised is far off. */
const UNIT_TOLERANCE = 1e-3;
export const isOffUnit = (norm: number) => Math.abs(norm - 1) > UNIT_TOLERANCE;

/** Coarser numbers (8 bits, few decimals) change a unit vector's length by less than this. */
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
