/**
 * What is sent and what must come back: every text says its own number, and its vector follows from the number alone.
 * The fake upstream and the load generator both know it, so that a vector at the wrong place is found out.
 */

/** So many vectors there are; a text's is found by its number. */
export const VARIANTS = 64;
export const NUMBER_DIGITS = 9;

export const numberIn = (text: string, at = 0): number => Number(text.slice(at + 1, at + 1 + NUMBER_DIGITS));

/** Some 15 tokens, all of one length, so that a request is patched in place and not written anew. */
export const textOf = (number: number): string =>
  `#${String(number).padStart(NUMBER_DIGITS, "0")} a quick brown fox jumps over the lazy dog`;

/** Unit length, and as random as vectors of a model are: from a small generator, the same in every process. */
export function vectorsOf(dimensions: number): readonly Float32Array[] {
  let state = 0x9e3779b9;
  const uniform = () => {
    state = (Math.imul(state, 1664525) + 1013904223) >>> 0;
    return state / 2 ** 32;
  };
  return Array.from({ length: VARIANTS }, () => {
    const raw = Float64Array.from({ length: dimensions }, () => uniform() + uniform() + uniform() - 1.5);
    const norm = Math.hypot(...raw);
    return Float32Array.from(raw, (value) => value / norm);
  });
}

export const toBase64 = (vector: Float32Array): string =>
  new Uint8Array(vector.buffer, vector.byteOffset, vector.byteLength).toBase64();
