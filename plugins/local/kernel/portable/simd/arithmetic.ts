/**
 * Arithmetic on four numbers at a time: sums in a fixed order, the exponential, GELU.
 * ../plain/arithmetic.ts, ../../native/arithmetic.h and the lanes-*.h there are its counterparts: change all of them if a change alters a number.
 */
import { HIDDEN_BYTES } from "./memory";

@inline export function largestLane(v: v128): f32 {
  const low = max(f32x4.extract_lane(v, 0), f32x4.extract_lane(v, 1));
  return max(low, max(f32x4.extract_lane(v, 2), f32x4.extract_lane(v, 3)));
}

/** Sixteen lanes: 0-7 plus 8-15, then 0-3 plus 4-7, and so on. `sum_of` of ../../native/lanes-*.h has the same order. */
@inline function sumOfLanes(v0: v128, v1: v128, v2: v128, v3: v128): f32 {
  const v = f32x4.add(f32x4.add(v0, v2), f32x4.add(v1, v3));
  return (f32x4.extract_lane(v, 0) + f32x4.extract_lane(v, 2)) + (f32x4.extract_lane(v, 1) + f32x4.extract_lane(v, 3));
}

@inline export function multiplyAdd(a: v128, b: v128, c: v128): v128 { return f32x4.add(f32x4.mul(a, b), c); }
@inline function addSquare(a: v128, c: v128): v128 { return multiplyAdd(a, a, c); }

@inline export function storeFour(to: usize, v0: v128, v1: v128, v2: v128, v3: v128): void {
  v128.store(to, v0);
  v128.store(to, v1, 16);
  v128.store(to, v2, 32);
  v128.store(to, v3, 48);
}

/** Σ x over this many bytes of numbers, a multiple of 64. */
export function sumOf(from: usize, bytes: i32): f32 {
  let s0 = f32x4.splat(0), s1 = s0, s2 = s0, s3 = s0;
  for (let at = from; at < from + bytes; at += 64) {
    s0 = f32x4.add(s0, v128.load(at));
    s1 = f32x4.add(s1, v128.load(at, 16));
    s2 = f32x4.add(s2, v128.load(at, 32));
    s3 = f32x4.add(s3, v128.load(at, 48));
  }
  return sumOfLanes(s0, s1, s2, s3);
}

/** Σ (x - from)² over a row of HIDDEN numbers. */
export function sumOfSquares(row: usize, from: v128): f32 {
  let s0 = f32x4.splat(0), s1 = s0, s2 = s0, s3 = s0;
  for (let at = row; at < row + HIDDEN_BYTES; at += 64) {
    s0 = addSquare(f32x4.sub(v128.load(at), from), s0);
    s1 = addSquare(f32x4.sub(v128.load(at, 16), from), s1);
    s2 = addSquare(f32x4.sub(v128.load(at, 32), from), s2);
    s3 = addSquare(f32x4.sub(v128.load(at, 48), from), s3);
  }
  return sumOfLanes(s0, s1, s2, s3);
}

/** eˣ for x ≤ 88 (Cephes' expf): x = n·ln 2 + r, a polynomial for eʳ, and 2ⁿ written into the exponent bits. */
@inline export function exponential(value: v128): v128 {
  const x = f32x4.max(value, f32x4.splat(-87)); // below that the exponent would underflow
  const n = f32x4.nearest(f32x4.mul(x, f32x4.splat(1.4426950408889634)));
  // ln 2 in two parts: the first has so few bits that n times it is exact.
  let r = f32x4.sub(x, f32x4.mul(n, f32x4.splat(0.693359375)));
  r = f32x4.sub(r, f32x4.mul(n, f32x4.splat(-2.1219444e-4)));
  let p = f32x4.splat(1.987569150e-4);
  p = multiplyAdd(p, r, f32x4.splat(1.3981999507e-3));
  p = multiplyAdd(p, r, f32x4.splat(8.3334519073e-3));
  p = multiplyAdd(p, r, f32x4.splat(4.1665795894e-2));
  p = multiplyAdd(p, r, f32x4.splat(1.6666665459e-1));
  p = multiplyAdd(p, r, f32x4.splat(5.0000001201e-1));
  p = f32x4.add(multiplyAdd(f32x4.mul(p, r), r, r), f32x4.splat(1));
  const powerOfTwo = i32x4.shl(i32x4.add(i32x4.trunc_sat_f32x4_s(n), i32x4.splat(127)), 23);
  return f32x4.mul(p, powerOfTwo);
}

/** GELU as the model was trained with it: x/2 · (1 + erf(x/√2)), erf by Abramowitz & Stegun 7.1.26 (error < 1.5e-7). */
@inline export function gelu(x: v128): v128 {
  const z = f32x4.mul(f32x4.abs(x), f32x4.splat(0.7071067811865476));
  const t = f32x4.div(f32x4.splat(1), multiplyAdd(z, f32x4.splat(0.3275911), f32x4.splat(1)));
  let p = f32x4.splat(1.061405429);
  p = multiplyAdd(p, t, f32x4.splat(-1.453152027));
  p = multiplyAdd(p, t, f32x4.splat(1.421413741));
  p = multiplyAdd(p, t, f32x4.splat(-0.284496736));
  p = multiplyAdd(p, t, f32x4.splat(0.254829592));
  const tail = f32x4.mul(f32x4.mul(p, t), exponential(f32x4.neg(f32x4.mul(z, z))));
  const erf = v128.bitselect(x, f32x4.sub(f32x4.splat(1), tail), f32x4.splat(-0.0)); // erf is odd: the sign is that of x
  return f32x4.mul(f32x4.mul(x, f32x4.splat(0.5)), f32x4.add(f32x4.splat(1), erf));
}
