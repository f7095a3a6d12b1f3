/**
 * What must come back: a text's vector follows from the number that the text says (src/bench/texts.ts).
 * The fake upstream and the load generator both know it, so that a vector at the wrong place is found out.
 */
import { NUMBER_DIGITS } from "../src/bench/texts";

/** So many vectors there are; a text's is found by its number. */
export const VARIANTS = 64;
/** Of each text, about. */
export const TOKENS = 16;

/** @param at where its `#` is */
export const numberIn = (text: string, at = 0): number => Number(text.slice(at + 1, at + 1 + NUMBER_DIGITS));

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
