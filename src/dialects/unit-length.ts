/**
 * Unit-length vectors for APIs whose own servers return them by default. Most models' vectors already have unit length: these stay
 * unchanged, bit for bit.
 */

/** Rounding error of a unit vector: with half precision, some ten-thousandths. */
const TOLERANCE = 1e-3;

export function atUnitLength(vectors: readonly Float32Array[]): readonly Float32Array[] {
  return vectors.map((vector) => {
    let square = 0;
    for (const value of vector) square += value * value;
    const length = Math.sqrt(square);
    if (length === 0 || Math.abs(length - 1) <= TOLERANCE) return vector;
    return vector.map((value) => value / length);
  });
}
