/**
 * Linear layers: activations are quantised to integers, multiplied by packed int8 weights, and scaled back.
 * Change ../plain/linear.ts and ../../native/linear.h too if a change alters a number, and ../../../weights/convert.ts if it alters how weights are packed.
 */
import { gelu, largestLane, multiplyAdd } from "./arithmetic";
import { FLOAT, PANEL, quantised, quantisedScales, widePanel } from "./memory";

/**
 * Activations are quantised to ±8191 (14 bits), weights are int8 (±127). The longest sum has 1536 products:
 * 1536 · 127 · 8191 = 1,597,834,752 < 2³¹, so the int32 accumulators of `linear` cannot overflow.
 */
const ACTIVATION_LIMIT: f32 = 8191;
/** A weight in `widePanel` is an i16. */
export const WIDE_BYTES: i32 = sizeof<i16>();

/** Quantises f32 rows [token][columns] to int16, each row scaled by its own largest absolute value. */
export function quantise(rows: usize, tokens: i32, columns: i32): void {
  for (let token = 0; token < tokens; token++) {
    const row = rows + token * columns * FLOAT;
    let largest = f32x4.splat(1e-20); // a row of zeros must not divide by zero
    for (let i = 0; i < columns; i += 4) largest = f32x4.max(largest, f32x4.abs(v128.load(row + i * FLOAT)));
    const limit = largestLane(largest);
    store<f32>(quantisedScales + token * FLOAT, limit / ACTIVATION_LIMIT);
    const scale = f32x4.splat(ACTIVATION_LIMIT / limit);
    const to = quantised + token * columns * sizeof<i16>();
    for (let i = 0; i < columns; i += 8) {
      const from = row + i * FLOAT;
      const low = i32x4.trunc_sat_f32x4_s(f32x4.nearest(f32x4.mul(v128.load(from), scale)));
      const high = i32x4.trunc_sat_f32x4_s(f32x4.nearest(f32x4.mul(v128.load(from, 16), scale)));
      v128.store(to + i * sizeof<i16>(), i16x8.narrow_i32x4_s(low, high));
    }
  }
}

/** What happens to a linear layer's result: it is stored, passed through GELU and stored, or added to the value there (the residual). */
export const STORE: i32 = 0, GELU: i32 = 1, ADD: i32 = 2;
@inline function finish(to: usize, sums: v128, tokenScale: v128, scales: usize, biases: usize, ending: i32): void {
  let value = multiplyAdd(f32x4.convert_i32x4_s(sums), f32x4.mul(tokenScale, v128.load(scales)), v128.load(biases));
  if (ending == GELU) value = gelu(value);
  else if (ending == ADD) value = f32x4.add(value, v128.load(to));
  v128.store(to, value);
}

@inline function finishRow(to: usize, s0: v128, s1: v128, s2: v128, s3: v128, token: v128, scales: usize, biases: usize, ending: i32): void {
  finish(to, s0, token, scales, biases, ending);
  finish(to + 16, s1, token, scales + 16, biases + 16, ending);
  finish(to + 32, s2, token, scales + 32, biases + 32, ending);
  finish(to + 48, s3, token, scales + 48, biases + 48, ending);
}

/** Widens a panel of weights from int8 to int16, once for all tokens: in the inner loop it would take a tenth of the time. */
function widen(panel: usize, panelEnd: usize): void {
  for (let to = widePanel; panel < panelEnd; panel += 8, to += 16) v128.store(to, v128.load_ext<i8>(panel));
}

/**
 * to[token][output] = Σ quantised[token][input] · weight[output][input], scaled back, + bias[output].
 *
 * Weights are int8 in panels of sixteen outputs, two inputs at a time:
 *
 *   outputs 0-15:  o0i0 o0i1 o1i0 o1i1 … o15i0 o15i1 | o0i2 o0i3 o1i2 … o15i3 | … ; then outputs 16-31
 *
 * One load reads four outputs × two inputs, one splat the same two inputs of a token, and dot_i16x8 computes four sums of two products.
 * The block is 2 tokens × 16 outputs: eight accumulators, four weights and a splat stay in the sixteen SIMD registers of x86.
 * Larger blocks and unrolling were measured to be slower, as registers spill.
 * @returns the address after the weights, the scales (f32 [output]) and the biases (f32 [output])
 */
export function linear(tokens: i32, inputs: i32, weights: usize, outputs: i32, to: usize, ending: i32): usize {
  const scales = weights + outputs * inputs;
  const biases = scales + outputs * FLOAT;
  const wideEnd = widePanel + PANEL * inputs * sizeof<i16>();
  for (let output = 0; output < outputs; output += PANEL) {
    const panel = weights + output * inputs;
    widen(panel, panel + PANEL * inputs);
    for (let token = 0; token < tokens; token += 2) {
      let a0 = i32x4.splat(0), a1 = a0, a2 = a0, a3 = a0; // the first token's sums
      let b0 = a0, b1 = a0, b2 = a0, b3 = a0; // the second token's
      let a = quantised + token * inputs * sizeof<i16>();
      let b = a + inputs * sizeof<i16>();
      for (let w = widePanel; w < wideEnd; w += 64, a += 4, b += 4) {
        const w0 = v128.load(w), w1 = v128.load(w, 16), w2 = v128.load(w, 32), w3 = v128.load(w, 48);
        let pair = v128.load32_splat(a);
        a0 = i32x4.add(a0, i32x4.dot_i16x8_s(w0, pair));
        a1 = i32x4.add(a1, i32x4.dot_i16x8_s(w1, pair));
        a2 = i32x4.add(a2, i32x4.dot_i16x8_s(w2, pair));
        a3 = i32x4.add(a3, i32x4.dot_i16x8_s(w3, pair));
        pair = v128.load32_splat(b);
        b0 = i32x4.add(b0, i32x4.dot_i16x8_s(w0, pair));
        b1 = i32x4.add(b1, i32x4.dot_i16x8_s(w1, pair));
        b2 = i32x4.add(b2, i32x4.dot_i16x8_s(w2, pair));
        b3 = i32x4.add(b3, i32x4.dot_i16x8_s(w3, pair));
      }
      const at = to + (token * outputs + output) * FLOAT, xs = quantisedScales + token * FLOAT;
      const scale = scales + output * FLOAT, bias = biases + output * FLOAT;
      finishRow(at, a0, a1, a2, a3, v128.load32_splat(xs), scale, bias, ending);
      finishRow(at + outputs * FLOAT, b0, b1, b2, b3, v128.load32_splat(xs, 4), scale, bias, ending);
    }
  }
  return biases + outputs * FLOAT;
}
