/** The same as ../simd/rows.ts without SIMD, with the same bits. */
import { multiplyAdd, sumOf, sumOfSquares } from "./arithmetic";
import { FLOAT, HIDDEN, HIDDEN_BYTES } from "./memory";

export function lookUpRow(row: usize, word: usize, wordScale: usize, position: usize): void {
  const scale = load<f32>(wordScale);
  for (let i = 0; i < HIDDEN; i++, row += FLOAT, position += FLOAT) {
    store<f32>(row, multiplyAdd(<f32>load<i8>(word + i), scale, load<f32>(position)));
  }
}

export function normaliseRow(row: usize, gain: usize, bias: usize): void {
  const mean = sumOf(row, HIDDEN_BYTES) / <f32>HIDDEN;
  const inverse: f32 = 1 / sqrt<f32>(sumOfSquares(row, mean) / <f32>HIDDEN + 1e-12);
  for (let i = 0; i < HIDDEN_BYTES; i += FLOAT) {
    const unit = (load<f32>(row + i) - mean) * inverse;
    store<f32>(row + i, multiplyAdd(unit, load<f32>(gain + i), load<f32>(bias + i)));
  }
}

export function addRow(to: usize, row: usize): void {
  for (let i = 0; i < HIDDEN_BYTES; i += FLOAT) store<f32>(to + i, load<f32>(to + i) + load<f32>(row + i));
}

export function toUnitLength(row: usize): void {
  const inverse: f32 = 1 / sqrt<f32>(max<f32>(sumOfSquares(row, 0), 1e-24));
  for (let i = 0; i < HIDDEN_BYTES; i += FLOAT) store<f32>(row + i, load<f32>(row + i) * inverse);
}
