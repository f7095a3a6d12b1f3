/**
 * Reads lists of numbers in JSON, and base64, directly to float32. In AssemblyScript: TypeScript's syntax, compiled ahead of time to SIMD WebAssembly.
 * After every change run `bun src/replies/kernel/build.ts`; a test compares the compiled file with this source.
 *
 * The rule for everything here: a number becomes exactly the float32 that `Math.fround(Number(text))` returns. A text is
 * read as digits times a power of ten in double precision, with an error below 2¹⁶ units of the double's last place (see `scaled`).
 * If the result is farther than that from the midpoint between two float32, the exact number is on the same side of the midpoint, and so is
 * the double nearest to it. If it is closer, or its exponent is too large or too small, the function `number` reads the text exactly.
 */

/** The number between two addresses, read exactly by the caller of `read`: needed for a few in a thousand. */
@external("replies", "number")
declare function number(start: i32, end: i32): f64;

/** The results of reading: the list ended; the text ended first; or it is not a list of numbers and must be read in another way. */
const CLOSED: i32 = 0, MORE: i32 = 1, OTHER: i32 = 2;

const INPUT_BYTES: i32 = 128 * 1024;
/** Zeros after the text: they are not characters of JSON, so nothing needs to check for the text's end. Two loads read past it. */
const ROOM: i32 = 64;
const INPUT: usize = memory.data(131136, 16); // INPUT_BYTES + ROOM
/** A number takes at least two bytes, including its comma. */
const OUTPUT: usize = memory.data(262144, 16); // 4 · INPUT_BYTES / 2

export function inputAt(): usize { return INPUT; }
export function inputBytes(): i32 { return INPUT_BYTES; }
export function outputAt(): usize { return OUTPUT; }

let good: i32; // where the last whole number and its comma or bracket end
let numbers: i32; // how many are read

export function readTo(): i32 { return good; }
export function count(): i32 { return numbers; }

const SPACE: u32 = 32, PLUS: u32 = 43, COMMA: u32 = 44, MINUS: u32 = 45, POINT: u32 = 46, ZERO: u32 = 48, CLOSE: u32 = 93, SMALL_E: u32 = 101;

@inline function isDigit(character: u32): bool { return character - ZERO < 10; }
@inline function isSpace(character: u32): bool {
  return character == 32 || character == 10 || character == 13 || character == 9;
}

/** Below this value another digit still fits. */
const ROOM_FOR_A_DIGIT: u64 = 922337203685477580; // (2⁶³ − 1) / 10

const LEAST_POWER: i32 = -60, POWERS: i32 = 91;
const POWER: StaticArray<f64> = [
  1e-60, 1e-59, 1e-58, 1e-57, 1e-56, 1e-55, 1e-54, 1e-53, 1e-52, 1e-51, 1e-50, 1e-49, 1e-48, 1e-47, 1e-46, 1e-45, 1e-44, 1e-43, 1e-42,
  1e-41, 1e-40, 1e-39, 1e-38, 1e-37, 1e-36, 1e-35, 1e-34, 1e-33, 1e-32, 1e-31, 1e-30, 1e-29, 1e-28, 1e-27, 1e-26, 1e-25, 1e-24, 1e-23,
  1e-22, 1e-21, 1e-20, 1e-19, 1e-18, 1e-17, 1e-16, 1e-15, 1e-14, 1e-13, 1e-12, 1e-11, 1e-10, 1e-9, 1e-8, 1e-7, 1e-6, 1e-5, 1e-4, 1e-3,
  1e-2, 1e-1, 1e0, 1e1, 1e2, 1e3, 1e4, 1e5, 1e6, 1e7, 1e8, 1e9, 1e10, 1e11, 1e12, 1e13, 1e14, 1e15, 1e16, 1e17, 1e18, 1e19, 1e20, 1e21,
  1e22, 1e23, 1e24, 1e25, 1e26, 1e27, 1e28, 1e29, 1e30,
];

/** Sixteen bytes of 0, then sixteen of 255: a load from 16 − n masks all but the first n bytes. */
const COVER: usize = memory.data<u8>([
  0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0,
  255, 255, 255, 255, 255, 255, 255, 255, 255, 255, 255, 255, 255, 255, 255, 255,
], 16);

/** How many of the 16 bytes, with '0' subtracted, come before the first that is not a digit. */
@inline function digitsOf(bytes: v128): i32 {
  return ctz(i8x16.bitmask(i8x16.gt_u(bytes, i8x16.splat(9))) | 0x10000);
}

/** Sixteen digits, most significant first, as one number. */
@inline function joined(digits: v128): u64 {
  const pairs = i16x8.add(i16x8.mul(v128.and(digits, i16x8.splat(0xff)), i16x8.splat(10)), i16x8.shr_u(digits, 8));
  const fours = i32x4.dot_i16x8_s(pairs, i16x8(100, 1, 100, 1, 100, 1, 100, 1));
  const eights = i32x4.dot_i16x8_s(i16x8.narrow_i32x4_s(fours, fours), i16x8(10000, 1, 10000, 1, 10000, 1, 10000, 1));
  const both = i64x2.extract_lane(eights, 0);
  return (both & 0xffffffff) * 100000000 + (both >>> 32);
}

/**
 * digits · 10^power, or 0 if the result is not precise enough.
 * Omitted digits are worth less than one unit of the last place of `digits`, so `digits` must be at least 2³⁸: the relative error is below 2⁻³⁸.
 * The conversion, the power and the product add at most 2⁻⁵³ each. In total it is below 2⁻³⁸ + 2⁻⁵¹, and one unit of a double's last place is at
 * least 2⁻⁵³ of the value: less than 2¹⁶ units.
 */
@inline function scaled(digits: u64, power: i32, isCut: bool): f64 {
  const place = power - LEAST_POWER;
  if (<u32>place >= <u32>POWERS || (isCut && digits < 274877906944)) return 0; // 2³⁸
  return <f64><i64>digits * load<f64>(changetype<usize>(POWER) + (place << 3));
}

/** Whether the result of `scaled` is far enough from the midpoint between two float32, and both are within the normal range. */
@inline function isSure(value: f64): bool {
  // The lower 29 bits do not fit into a float32: the midpoint is 2²⁸. The difference wraps around, below the smallest doubtful value.
  return value > 1.2e-38 && value < 3.4e38 && (<u32>reinterpret<u64>(value) & 0x1fffffff) - 0xfff0000 > 0x20000;
}

function ended(how: i32, to: i32, written: i32): i32 {
  good = to;
  numbers = written >> 2;
  return how;
}

/** Reads numbers from `start`, where a number must be, up to the bracket that closes their list: as many as are complete before `end`. */
export function read(start: i32, end: i32): i32 {
  memory.fill(end, 0, ROOM);
  let at = start;
  let to = start;
  let written: i32 = 0;
  while (true) {
    let c: u32 = load<u8>(at);
    while (c <= SPACE) {
      if (!isSpace(c)) return ended(at >= end ? MORE : OTHER, to, written);
      c = load<u8>(++at);
    }
    const first = at;
    const isNegative = u32(c == MINUS); // no branch: the sign is unpredictable
    at += isNegative;
    c = load<u8>(at);
    if (!isDigit(c)) return ended(at >= end ? MORE : OTHER, to, written);
    let digits: u64 = 0;
    let power: i32 = 0;
    let isCut = false;
    if (load<u8>(at + 1) == POINT) {
      digits = c - ZERO;
      c = POINT;
      at++;
    } else if (c == ZERO) c = load<u8>(++at);
    else do {
      if (digits < ROOM_FOR_A_DIGIT) digits = digits * 10 + (c - ZERO);
      else { isCut = true; power++; }
      c = load<u8>(++at);
    } while (isDigit(c));
    if (c == POINT) {
      at++;
      const next = v128.sub<u8>(v128.load(at), i8x16.splat(48));
      const some = digitsOf(next);
      if (some == 0) return ended(at >= end ? MORE : OTHER, to, written);
      if (digits < 100) {
        // Treated as sixteen digits: the masked ones count as zeros.
        digits = digits * 10000000000000000 + joined(v128.andnot(next, v128.load(COVER + 16 - some)));
        power -= 16;
        at += some;
        let further = some;
        while (further == 16) {
          further = digitsOf(v128.sub<u8>(v128.load(at), i8x16.splat(48)));
          isCut = true;
          at += further;
        }
        c = load<u8>(at);
      } else {
        c = load<u8>(at);
        do {
          if (digits < ROOM_FOR_A_DIGIT) { digits = digits * 10 + (c - ZERO); power--; }
          else isCut = true;
          c = load<u8>(++at);
        } while (isDigit(c));
      }
    }
    let last = at;
    if (c != COMMA) {
      if ((c | 32) == SMALL_E) {
        c = load<u8>(++at);
        const isDown = c == MINUS;
        if (isDown || c == PLUS) c = load<u8>(++at);
        if (!isDigit(c)) return ended(at >= end ? MORE : OTHER, to, written);
        let exponent: i32 = 0;
        do {
          if (exponent < 100000) exponent = exponent * 10 + (c - ZERO);
          c = load<u8>(++at);
        } while (isDigit(c));
        power += isDown ? -exponent : exponent;
        last = at;
      }
      while (isSpace(c)) c = load<u8>(++at);
      if (c != COMMA && c != CLOSE) return ended(at >= end ? MORE : OTHER, to, written);
    }
    at++;
    const value = scaled(digits, power, isCut);
    let bits: u32;
    if (isSure(value)) bits = reinterpret<u32>(<f32>value) | (isNegative << 31);
    else if (digits == 0 && !isCut) bits = isNegative << 31;
    else bits = reinterpret<u32>(<f32>number(first, last));
    store<u32>(OUTPUT + written, bits);
    written += 4;
    to = at;
    if (c == CLOSE) return ended(CLOSED, to, written);
  }
  return OTHER;
}

const EQUALS: u32 = 61, SLASH: i8 = 47;

/** The value of a base64 character, plus 0x40 for a character that is not base64. */
function meaningOf(c: u32): u32 {
  if (c - 65 < 26) return c - 65;
  if (c - 97 < 26) return c - 71;
  if (c - 48 < 10) return c + 4;
  return c == 43 ? 62 : c == 47 ? 63 : 0x40;
}

/**
 * Decodes base64 between two addresses: whole groups of four, the last one padded if necessary.
 * @returns the number of bytes written, or -1 if it is not base64
 */
export function readBase64(start: i32, end: i32): i32 {
  let from = start;
  let to = OUTPUT;
  let bad = i8x16.splat(0);
  // Sixteen characters at once. The two halves of a character show whether it is invalid (a common bit), and what must be added to it.
  const lower = i8x16(21, 17, 17, 17, 17, 17, 17, 17, 17, 17, 19, 26, 27, 27, 27, 26);
  const upper = i8x16(16, 16, 1, 2, 4, 8, 4, 8, 16, 16, 16, 16, 16, 16, 16, 16);
  const added = i8x16(0, 16, 19, 4, -65, -65, -71, -71, 0, 0, 0, 0, 0, 0, 0, 0);
  for (; from + 20 <= end; from += 16) {
    const text = v128.load(from);
    const high = i8x16.shr_u(text, 4);
    const low = v128.and(text, i8x16.splat(15));
    bad = v128.or(bad, v128.and(v128.swizzle(lower, low), v128.swizzle(upper, high)));
    const sixes = i8x16.add(text, v128.swizzle(added, i8x16.add(high, i8x16.eq(text, i8x16.splat(SLASH)))));
    const twelves = v128.or(i16x8.shl(v128.and(sixes, i16x8.splat(0xff)), 6), i16x8.shr_u(sixes, 8));
    const triples = i32x4.dot_i16x8_s(twelves, i16x8(4096, 1, 4096, 1, 4096, 1, 4096, 1));
    // Writes four bytes more than needed, which the next store overwrites.
    v128.store(to, v128.swizzle(triples, i8x16(2, 1, 0, 6, 5, 4, 10, 9, 8, 14, 13, 12, -1, -1, -1, -1)));
    to += 12;
  }
  if (v128.any_true(bad)) return -1;
  for (; from < end; from += 4) {
    const isLast = from + 4 == end;
    const padding: i32 = isLast && load<u8>(from + 3) == EQUALS ? (load<u8>(from + 2) == EQUALS ? 2 : 1) : 0;
    let group: u32 = 0;
    for (let i = 0; i < 4; i++) {
      const six = i >= 4 - padding ? 0 : meaningOf(load<u8>(from + i));
      if (six == 0x40) return -1;
      group = (group << 6) | six;
    }
    store<u8>(to, group >> 16);
    if (padding < 2) store<u8>(to + 1, group >> 8);
    if (padding < 1) store<u8>(to + 2, group);
    to += 3 - padding;
  }
  return <i32>(to - OUTPUT);
}
