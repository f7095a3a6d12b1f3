/**
 * Attention, one text and one head at a time: scores of each query with every key, their softmax, and the values weighted by it.
 * ../plain/attention.ts and ../../native/attention.h are its counterparts: change all if a change alters a number.
 */
import { exponential, largestLane, multiplyAdd, storeFour, sumOf } from "./arithmetic";
import { context, FLOAT, HEAD_SIZE, HEADS, HIDDEN_BYTES, keysTransposed, QKV_BYTES, qkv, scores } from "./memory";

/** One head's keys of one text, transposed so that sixteen scores are summed side by side. */
function transposeKeys(keys: usize, length: i32, padded: i32): void {
  for (let key = 0; key < length; key++, keys += QKV_BYTES) {
    let to = keysTransposed + key * FLOAT;
    for (let d = 0; d < HEAD_SIZE; d++, to += padded * FLOAT) store<f32>(to, load<f32>(keys + d * FLOAT));
  }
}

/** scores[key] = query · key. The query's weights already include the factor 1/√32. */
function scoreKeys(query: usize, padded: i32): void {
  for (let key = 0; key < padded; key += 16) {
    let s0 = f32x4.splat(0), s1 = s0, s2 = s0, s3 = s0;
    let column = keysTransposed + key * FLOAT;
    for (let d = 0; d < HEAD_SIZE; d++, column += padded * FLOAT) {
      const q = v128.load32_splat(query + d * FLOAT);
      s0 = multiplyAdd(q, v128.load(column), s0);
      s1 = multiplyAdd(q, v128.load(column, 16), s1);
      s2 = multiplyAdd(q, v128.load(column, 32), s2);
      s3 = multiplyAdd(q, v128.load(column, 48), s3);
    }
    storeFour(scores + key * FLOAT, s0, s1, s2, s3);
  }
}

/** Softmax without the division; returns the divisor. The largest score becomes 1, so nothing overflows. */
function exponentiateScores(length: i32, padded: i32): f32 {
  const end = scores + padded * FLOAT;
  // Padding, which must not be the largest score. Its weight becomes e⁻⁸⁷, which is part of the sum, and of no other number.
  for (let at = scores + length * FLOAT; at < end; at += FLOAT) store<f32>(at, -1e30);
  let largest = f32x4.splat(-1e30);
  for (let at = scores; at < end; at += 16) largest = f32x4.max(largest, v128.load(at));
  const shift = f32x4.splat(largestLane(largest));
  for (let at = scores; at < end; at += 16) v128.store(at, exponential(f32x4.sub(v128.load(at), shift)));
  return sumOf(scores, padded * FLOAT);
}

/** to = Σ scores[key] · value[key] / total, for one head. */
function weighValues(values: usize, length: i32, total: f32, to: usize): void {
  let c0 = f32x4.splat(0), c1 = c0, c2 = c0, c3 = c0, c4 = c0, c5 = c0, c6 = c0, c7 = c0;
  for (let key = 0; key < length; key++, values += QKV_BYTES) {
    const weight = v128.load32_splat(scores + key * FLOAT);
    c0 = multiplyAdd(weight, v128.load(values), c0);
    c1 = multiplyAdd(weight, v128.load(values, 16), c1);
    c2 = multiplyAdd(weight, v128.load(values, 32), c2);
    c3 = multiplyAdd(weight, v128.load(values, 48), c3);
    c4 = multiplyAdd(weight, v128.load(values, 64), c4);
    c5 = multiplyAdd(weight, v128.load(values, 80), c5);
    c6 = multiplyAdd(weight, v128.load(values, 96), c6);
    c7 = multiplyAdd(weight, v128.load(values, 112), c7);
  }
  const inverse = f32x4.splat(1 / total);
  storeFour(to, f32x4.mul(c0, inverse), f32x4.mul(c1, inverse), f32x4.mul(c2, inverse), f32x4.mul(c3, inverse));
  storeFour(to + 64, f32x4.mul(c4, inverse), f32x4.mul(c5, inverse), f32x4.mul(c6, inverse), f32x4.mul(c7, inverse));
}

/** One text's attention, from rows first … first + length of `qkv` to the same rows of `context`. */
export function attend(first: i32, length: i32): void {
  const padded = (length + 15) & ~15;
  memory.fill(keysTransposed, 0, padded * HEAD_SIZE * FLOAT); // clears the padding, which is not written below
  for (let head = 0; head < HEADS; head++) {
    const queries = qkv + first * QKV_BYTES + head * HEAD_SIZE * FLOAT;
    const keys = queries + HIDDEN_BYTES, values = keys + HIDDEN_BYTES;
    transposeKeys(keys, length, padded);
    for (let i = 0; i < length; i++) {
      scoreKeys(queries + i * QKV_BYTES, padded);
      const total = exponentiateScores(length, padded);
      weighValues(values, length, total, context + (first + i) * HIDDEN_BYTES + head * HEAD_SIZE * FLOAT);
    }
  }
}
