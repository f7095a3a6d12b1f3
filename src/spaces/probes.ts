/**
 * The fixed texts that an embedding space is known by, and how alike two measurements of it are.
 * A change of the texts raises PROBES_VERSION: fingerprints of other texts are then measured anew.
 */
export const PROBES_VERSION = 1;

/** Unlike one another, and short: a measurement costs some forty tokens. */
export const PROBES: readonly string[] = [
  "The quick brown fox jumps over the lazy dog.",
  "Quarterly revenue rose by twelve percent.",
  "def add(a, b): return a + b",
  "Wie spät ist es, und wer fragt?",
  "3.14159 26535",
];

/** What two measurements of one model reach, whatever hardware and batch made them; another model's stay far below. */
export const AGREEMENT_MIN = 0.999;

/** The least cosine of any probe text's two vectors; -1 where they cannot be compared. */
export function agreement(one: readonly Float32Array[], other: readonly Float32Array[]): number {
  if (one.length !== other.length || one.length === 0) return -1;
  return Math.min(...one.map((vector, i) => cosine(vector, other[i])));
}

function cosine(a: Float32Array, b: Float32Array | undefined): number {
  if (b === undefined || a.length !== b.length) return -1;
  let product = 0;
  let normA = 0;
  let normB = 0;
  for (const [i, value] of a.entries()) {
    const other = b[i] ?? 0;
    product += value * other;
    normA += value * value;
    normB += other * other;
  }
  const norm = Math.sqrt(normA * normB);
  return norm > 0 ? product / norm : -1;
}
