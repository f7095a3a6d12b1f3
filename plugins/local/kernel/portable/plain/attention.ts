/** The same as ../simd/attention.ts without SIMD, with the same bits. Scores are computed one by one, so the keys are not transposed. */
import { exponential, multiplyAdd, sumOf } from "./arithmetic";
import { context, FLOAT, HEAD_SIZE, HEADS, HIDDEN_BYTES, QKV_BYTES, qkv, scores } from "./memory";

const HEAD_BYTES: i32 = HEAD_SIZE * FLOAT;

function scoreKeys(query: usize, keys: usize, length: i32): void {
  for (let key = 0; key < length; key++, keys += QKV_BYTES) {
    let sum: f32 = 0;
    for (let d = 0; d < HEAD_BYTES; d += FLOAT) sum = multiplyAdd(load<f32>(query + d), load<f32>(keys + d), sum);
    store<f32>(scores + key * FLOAT, sum);
  }
}

/** With SIMD, the lanes after the last key add e⁻⁸⁷ each to the sum, and so they do here. */
function exponentiateScores(length: i32, padded: i32): f32 {
  const end = scores + padded * FLOAT;
  let largest: f32 = -1e30;
  for (let at = scores; at < scores + length * FLOAT; at += FLOAT) largest = max<f32>(largest, load<f32>(at));
  for (let at = scores + length * FLOAT; at < end; at += FLOAT) store<f32>(at, -1e30);
  for (let at = scores; at < end; at += FLOAT) store<f32>(at, exponential(load<f32>(at) - largest));
  return sumOf(scores, padded * FLOAT);
}

function weighValues(values: usize, length: i32, total: f32, to: usize): void {
  memory.fill(to, 0, HEAD_BYTES);
  for (let key = 0; key < length; key++, values += QKV_BYTES) {
    const weight = load<f32>(scores + key * FLOAT);
    for (let d = 0; d < HEAD_BYTES; d += FLOAT) store<f32>(to + d, multiplyAdd(weight, load<f32>(values + d), load<f32>(to + d)));
  }
  const inverse: f32 = 1 / total;
  for (let d = 0; d < HEAD_BYTES; d += FLOAT) store<f32>(to + d, load<f32>(to + d) * inverse);
}

/** One text's attention: rows first … first + length of `qkv` → the same rows of `context`. */
export function attend(first: i32, length: i32): void {
  const padded = (length + 15) & ~15;
  for (let head = 0; head < HEADS; head++) {
    const queries = qkv + first * QKV_BYTES + head * HEAD_BYTES;
    const keys = queries + HIDDEN_BYTES, values = keys + HIDDEN_BYTES;
    for (let i = 0; i < length; i++) {
      scoreKeys(queries + i * QKV_BYTES, keys, length);
      const total = exponentiateScores(length, padded);
      weighValues(values, length, total, context + (first + i) * HIDDEN_BYTES + head * HEAD_BYTES);
    }
  }
}
