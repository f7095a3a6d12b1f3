/**
 * Vectors for wires whose own servers answer unit length unless asked otherwise. Of most models they come so: then they are left as they are,
 * bit for bit.
 */

/** What rounding makes of a unit vector: of half precision, some ten-thousandths. */
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
