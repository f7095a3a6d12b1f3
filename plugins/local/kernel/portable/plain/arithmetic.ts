/**
 * The same as ../simd/arithmetic.ts without SIMD: the same operations in the same order, so the same bits. The constants are explained there.
 */
import { FLOAT, HIDDEN_BYTES } from "./memory";

@inline export function multiplyAdd(a: f32, b: f32, c: f32): f32 { return a * b + c; }

/** The sum of one lane: every sixteenth number from `at` on. */
@inline function laneOf(at: usize, end: usize): f32 {
  let sum: f32 = 0;
  for (; at < end; at += 16 * FLOAT) sum += load<f32>(at);
  return sum;
}

/** The sum of four of the sixteen lanes, in the order of `sumOfLanes` of ../simd/arithmetic.ts. */
@inline function fourOf(from: usize, end: usize, lane: i32): f32 {
  const at = from + lane * FLOAT;
  return (laneOf(at, end) + laneOf(at + 32, end)) + (laneOf(at + 16, end) + laneOf(at + 48, end));
}

/** Σ x over so many bytes of numbers, a multiple of 64. */
export function sumOf(from: usize, bytes: i32): f32 {
  const end = from + bytes;
  return (fourOf(from, end, 0) + fourOf(from, end, 2)) + (fourOf(from, end, 1) + fourOf(from, end, 3));
}

@inline function squaresOfLane(at: usize, end: usize, from: f32): f32 {
  let sum: f32 = 0;
  for (; at < end; at += 16 * FLOAT) {
    const difference = load<f32>(at) - from;
    sum = multiplyAdd(difference, difference, sum);
  }
  return sum;
}

@inline function squaresOfFour(row: usize, lane: i32, from: f32): f32 {
  const at = row + lane * FLOAT, end = row + HIDDEN_BYTES;
  return (squaresOfLane(at, end, from) + squaresOfLane(at + 32, end, from))
    + (squaresOfLane(at + 16, end, from) + squaresOfLane(at + 48, end, from));
}

/** Σ (x - from)² over a row of HIDDEN numbers. */
export function sumOfSquares(row: usize, from: f32): f32 {
  return (squaresOfFour(row, 0, from) + squaresOfFour(row, 2, from)) + (squaresOfFour(row, 1, from) + squaresOfFour(row, 3, from));
}

export function exponential(value: f32): f32 {
  const x = max<f32>(value, -87);
  const n = nearest<f32>(x * <f32>1.4426950408889634);
  let r = x - n * <f32>0.693359375;
  r = r - n * <f32>-2.1219444e-4;
  let p: f32 = 1.987569150e-4;
  p = multiplyAdd(p, r, 1.3981999507e-3);
  p = multiplyAdd(p, r, 8.3334519073e-3);
  p = multiplyAdd(p, r, 4.1665795894e-2);
  p = multiplyAdd(p, r, 1.6666665459e-1);
  p = multiplyAdd(p, r, 5.0000001201e-1);
  p = multiplyAdd(p * r, r, r) + <f32>1;
  return p * reinterpret<f32>((<i32>n + 127) << 23);
}

export function gelu(x: f32): f32 {
  const z = abs<f32>(x) * <f32>0.7071067811865476;
  const t = <f32>1 / multiplyAdd(z, 0.3275911, 1);
  let p: f32 = 1.061405429;
  p = multiplyAdd(p, t, -1.453152027);
  p = multiplyAdd(p, t, 1.421413741);
  p = multiplyAdd(p, t, -0.284496736);
  p = multiplyAdd(p, t, 0.254829592);
  const tail = (p * t) * exponential(-(z * z));
  const erf = copysign<f32>(<f32>1 - tail, x);
  return (x * <f32>0.5) * (<f32>1 + erf);
}
