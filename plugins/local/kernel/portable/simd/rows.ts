/**
 * Operations on whole rows of HIDDEN numbers, apart from the linear layers and attention.
 * ../plain/rows.ts and ../../native/kernel.c are its counterparts: change all if a change alters a number.
 */
import { multiplyAdd, sumOf, sumOfSquares } from "./arithmetic";
import { FLOAT, HIDDEN, HIDDEN_BYTES } from "./memory";

/** row = word (int8) · its scale + position (f32). */
export function lookUpRow(row: usize, word: usize, wordScale: usize, position: usize): void {
  const scale = v128.load32_splat(wordScale);
  for (let i = 0; i < HIDDEN; i += 8) {
    const eight = v128.load_ext<i8>(word + i);
    const low = f32x4.convert_i32x4_s(i32x4.extend_low_i16x8_s(eight));
    const high = f32x4.convert_i32x4_s(i32x4.extend_high_i16x8_s(eight));
    v128.store(row + i * FLOAT, multiplyAdd(low, scale, v128.load(position + i * FLOAT)));
    v128.store(row + i * FLOAT, multiplyAdd(high, scale, v128.load(position + i * FLOAT, 16)), 16);
  }
}

/** To mean 0 and variance 1, times the gain, plus the bias. */
export function normaliseRow(row: usize, gain: usize, bias: usize): void {
  const mean = f32x4.splat(sumOf(row, HIDDEN_BYTES) / <f32>HIDDEN);
  const inverse = f32x4.splat(1 / sqrt<f32>(sumOfSquares(row, mean) / <f32>HIDDEN + 1e-12));
  for (let i = 0; i < HIDDEN_BYTES; i += 16) {
    const unit = f32x4.mul(f32x4.sub(v128.load(row + i), mean), inverse);
    v128.store(row + i, multiplyAdd(unit, v128.load(gain + i), v128.load(bias + i)));
  }
}

export function addRow(to: usize, row: usize): void {
  for (let i = 0; i < HIDDEN_BYTES; i += 16) v128.store(to + i, f32x4.add(v128.load(to + i), v128.load(row + i)));
}

export function toUnitLength(row: usize): void {
  const inverse = f32x4.splat(1 / sqrt<f32>(max<f32>(sumOfSquares(row, f32x4.splat(0)), 1e-24)));
  for (let i = 0; i < HIDDEN_BYTES; i += 16) v128.store(row + i, f32x4.mul(v128.load(row + i), inverse));
}
