/**
 * The same as ../simd/linear.ts without SIMD, with the same bits. How activations are quantised and weights packed is described there.
 *
 * An i64 holds two sums, the second in its upper half, so that one multiplication makes two products:
 * activation · (first + second · 2³²). Both sums stay within ±2³¹ (see ../simd/linear.ts), so they can be separated again: the lower half is
 * the first sum; if it is negative, the upper half is too small by 1.
 */
import { gelu } from "./arithmetic";
import { FLOAT, PANEL, quantised, quantisedScales, widePanel } from "./memory";

const ACTIVATION_LIMIT: f32 = 8191;
/** Two weights share an i64 in `widePanel`. */
export const WIDE_BYTES: i32 = 4;
const INPUT_BYTES: i32 = PANEL * WIDE_BYTES; // one input's weights in `widePanel`

/** f32 rows [token][columns] → int16, each row scaled by its own largest number. */
export function quantise(rows: usize, tokens: i32, columns: i32): void {
  for (let token = 0; token < tokens; token++) {
    const row = rows + token * columns * FLOAT;
    let limit: f32 = 1e-20;
    for (let i = 0; i < columns; i++) limit = max<f32>(limit, abs<f32>(load<f32>(row + i * FLOAT)));
    store<f32>(quantisedScales + token * FLOAT, limit / ACTIVATION_LIMIT);
    const scale = ACTIVATION_LIMIT / limit;
    const to = quantised + token * columns * sizeof<i16>();
    for (let i = 0; i < columns; i++) {
      store<i16>(to + i * sizeof<i16>(), <i16><i32>nearest<f32>(load<f32>(row + i * FLOAT) * scale));
    }
  }
}

export const STORE: i32 = 0, GELU: i32 = 1, ADD: i32 = 2;
@inline function finish(to: usize, sum: i32, tokenScale: f32, scale: usize, bias: usize, ending: i32): void {
  let value = <f32>sum * (tokenScale * load<f32>(scale)) + load<f32>(bias);
  if (ending == GELU) value = gelu(value);
  else if (ending == ADD) value = value + load<f32>(to);
  store<f32>(to, value);
}

function finishTwo(to: usize, sums: i64, tokenScale: f32, scales: usize, biases: usize, ending: i32): void {
  const first = <i32>sums;
  finish(to, first, tokenScale, scales, biases, ending);
  finish(to + FLOAT, <i32>((sums - <i64>first) >> 32), tokenScale, scales + FLOAT, biases + FLOAT, ending);
}

/** Widens a panel of weights: for one input after another, eight pairs of outputs. */
function widen(panel: usize, panelEnd: usize): void {
  for (let to = widePanel; panel < panelEnd; panel += 2 * PANEL, to += 2 * INPUT_BYTES) {
    for (let input = 0; input < 2; input++) {
      for (let pair = 0; pair < PANEL / 2; pair++) {
        const first = panel + pair * 4 + input;
        store<i64>(to + input * INPUT_BYTES + pair * 8, <i64>load<i8>(first) + (<i64>load<i8>(first + 2) << 32));
      }
    }
  }
}

/** Two tokens by four outputs, starting at `output` in the panel: eight sums in four variables. */
@inline function block(a: usize, b: usize, inputs: i32, output: i32, to: usize, nextTo: usize, xs: usize, scale: usize, bias: usize, ending: i32): void {
  let a0: i64 = 0, a1: i64 = 0, b0: i64 = 0, b1: i64 = 0;
  const end = a + inputs * sizeof<i16>();
  for (let w = widePanel + output * WIDE_BYTES; a < end; w += INPUT_BYTES, a += 2, b += 2) {
    const w0 = load<i64>(w), w1 = load<i64>(w, 8);
    const x = <i64>load<i16>(a), y = <i64>load<i16>(b);
    a0 += x * w0;
    a1 += x * w1;
    b0 += y * w0;
    b1 += y * w1;
  }
  const offset = output * FLOAT;
  const s = scale + offset, c = bias + offset;
  const first = load<f32>(xs), second = load<f32>(xs, 4);
  finishTwo(to + offset, a0, first, s, c, ending);
  finishTwo(to + offset + 8, a1, first, s + 8, c + 8, ending);
  finishTwo(nextTo + offset, b0, second, s, c, ending);
  finishTwo(nextTo + offset + 8, b1, second, s + 8, c + 8, ending);
}

export function linear(tokens: i32, inputs: i32, weights: usize, outputs: i32, to: usize, ending: i32): usize {
  const scales = weights + outputs * inputs;
  const biases = scales + outputs * FLOAT;
  for (let output = 0; output < outputs; output += PANEL) {
    const panel = weights + output * inputs;
    widen(panel, panel + PANEL * inputs);
    for (let token = 0; token < tokens; token += 2) {
      const a = quantised + token * inputs * sizeof<i16>(), b = a + inputs * sizeof<i16>();
      const at = to + (token * outputs + output) * FLOAT, xs = quantisedScales + token * FLOAT;
      const scale = scales + output * FLOAT, bias = biases + output * FLOAT;
      for (let four = 0; four < PANEL; four += 4) block(a, b, inputs, four, at, at + outputs * FLOAT, xs, scale, bias, ending);
    }
  }
  return biases + outputs * FLOAT;
}
