/** The cosine similarity of two vectors, computed in double precision. */

/** @returns undefined if the dimensions differ, or if a vector is all zeros or not finite */
export function cosineOf(one: ArrayLike<number>, other: ArrayLike<number>): number | undefined {
  if (one.length !== other.length) return undefined;
  let product = 0;
  let ones = 0;
  let others = 0;
  for (let i = 0; i < one.length; i++) {
    const a = one[i] ?? 0;
    const b = other[i] ?? 0;
    product += a * b;
    ones += a * a;
    others += b * b;
  }
  const lengths = Math.sqrt(ones * others);
  return lengths > 0 && lengths < Number.POSITIVE_INFINITY ? product / lengths : undefined;
}
