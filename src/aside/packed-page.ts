/**
 * A page of an answer (src/printing/script.ts) for a Worker: its vectors are copied into one buffer, which is transferred.
 * The vectors themselves stay here, because a cache may hold them.
 */
import type { Page } from "../printing/script";

export interface PackedPage {
  readonly encoding: Page["encoding"];
  readonly words: readonly string[];
  readonly values: Float32Array<ArrayBuffer>;
  /** For each vector in order. */
  readonly lengths: readonly number[];
}

/** @param memory reused for the copies if it is large enough */
export function packed({ encoding, words, vectors }: Page, memory?: ArrayBuffer): PackedPage {
  const lengths = vectors.map(({ length }) => length);
  const count = lengths.reduce((sum, length) => sum + length, 0);
  const isEnough = memory !== undefined && memory.byteLength >= count * Float32Array.BYTES_PER_ELEMENT;
  const values = isEnough ? new Float32Array(memory, 0, count) : new Float32Array(count);
  let at = 0;
  for (const vector of vectors) {
    values.set(vector, at);
    at += vector.length;
  }
  return { encoding, words, values, lengths };
}

export function unpacked({ encoding, words, values, lengths }: PackedPage): Page {
  let at = 0;
  const vectors = lengths.map((length) => {
    at += length;
    return values.subarray(at - length, at);
  });
  return { encoding, words, vectors };
}
