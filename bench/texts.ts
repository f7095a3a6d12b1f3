/**
 * The expected vectors: a text's vector follows from the number in the text (src/bench/texts.ts). The fake upstream and the load generator both
 * compute it, so that a vector in the wrong place is noticed.
 */
import { NUMBER_DIGITS } from "../src/bench/texts";

/** How many different vectors there are; a text's number chooses one. */
export const VARIANTS = 64;
/** About how many tokens each text has. */
export const TOKENS = 16;

/** The number in a text. @param at the index of its `#` */
export const numberIn = (text: string, at = 0): number => Number(text.slice(at + 1, at + 1 + NUMBER_DIGITS));

/** Random vectors of length 1, from a small generator that gives the same ones in every process. */
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
