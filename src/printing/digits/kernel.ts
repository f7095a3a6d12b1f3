/**
 * Prints float32 values as short decimals, in AssemblyScript: TypeScript's syntax, compiled ahead of time to WebAssembly.
 * After any change run `bun src/printing/digits/build.ts`, which also notes the new file's sha256.
 *
 * A value is c · 2^q with an integer c below 2²⁴. Times 10^k that is c · 5^k · 2^(q+k), which in units of 2^-36 is a 64-bit integer for
 * every value in the range below, so everything that follows is exact. k is the smallest for which the reals that read back to this value span at
 * least one unit of 10^-k, and so less than ten. They contain at most one multiple of ten, which is then the shortest decimal; if they contain
 * none, it is the nearest integer number of units. (That number is among them for a power of two too, below which values are twice
 * as dense, and no border is an integer number of units: tests check every power of two and both ends of every exponent.)
 */

/** From 10^-6, below which JavaScript writes an exponent, to 2²³, from which on all values are integers: as bits. */
const FIRST: u32 = 0x358637bd;
const ONE: u32 = 0x3f800000;
const LAST: u32 = 0x4b000000;

const ZERO: u8 = 48;
const POINT: u8 = 46;
const MINUS: u8 = 45;
const COMMA: u8 = 44;

/** For each exponent from FIRST's to the one before LAST's: half a step of c in 2^-36 units (8 bytes), and k (4). */
const EXPONENTS: i32 = 43;
const FIRST_EXPONENT: i32 = 107;
const ENTRY: i32 = 16; // bytes
const TABLE = memory.data(EXPONENTS * ENTRY, 16);

let values: usize; // f32
let text: usize;

/** Writes a value outside the range at `at`, without its sign. @returns where it ends */
@external("caller", "writeOther")
declare function writeOther(size: f32, at: usize): usize;

/** Reserves memory for this many values of at most this many bytes each. Call once. */
export function reserve(count: i32, bytesEach: i32): void {
  values = (__heap_base + 15) & ~(<usize>15);
  text = values + (<usize>count << 2);
  // A value's last digits are written eight at a time.
  const end = text + <usize>(count * bytesEach) + 16;
  const pages = <i32>((end + 0xffff) >> 16) - memory.size();
  if (pages > 0) memory.grow(pages);
  for (let i = 0; i < EXPONENTS; i++) {
    const q = FIRST_EXPONENT + i - 150;
    let k = 0;
    let five: u64 = 1;
    let power: u64 = 1;
    while (power < <u64>1 << -q) {
      k += 1;
      five *= 5;
      power *= 10;
    }
    const entry = TABLE + <usize>(i * ENTRY);
    store<u64>(entry, five << (35 + q + k));
    store<u32>(entry, k, 8);
  }
}

export function valuesAt(): usize { return values; }
export function textAt(): usize { return text; }

/** Prints the first `count` values, a comma after each. @returns where the text ends */
export function print(count: i32): usize {
  let end = text;
  const last = values + (<usize>count << 2);
  for (let at = values; at < last; at += 4) {
    const bits = load<u32>(at);
    const size = bits & 0x7fffffff;
    store<u8>(end, MINUS);
    end += <usize>(bits >> 31);
    if (size - FIRST < LAST - FIRST) {
      const entry = TABLE - FIRST_EXPONENT * ENTRY + <usize>((size >> 23) * ENTRY);
      const half = load<u64>(entry);
      const places = load<u32>(entry, 8);
      const mantissa = size & 0x7fffff;
      const exact = (<u64>(mantissa | 0x800000) << 1) * half;
      // A reader converts through a double: values so close to the border that the double is the border itself are left out.
      const above = half - (exact >> 52) - 1;
      const below = select<u64>(above, above >> 1, mantissa != 0);
      const tens = ((((exact + above) >> 36) * 0xcccccccd) >> 35) * 10;
      const nearest = (exact + (<u64>1 << 35)) >> 36;
      const units = <u32>select<u64>(tens, nearest, (tens << 36) + below > exact);
      end = size < ONE ? fraction(units, places, end) : mixed(units, places, end);
    } else if (size == 0) store<u8>(end++, ZERO);
    else end = writeOther(reinterpret<f32>(size), end);
    store<u8>(end++, COMMA);
  }
  return end;
}

/** Eight digits, one per byte, the first in the lowest: halves, quarters and eighths of the number, in parallel. */
@inline function eightDigits(number: u32): u64 {
  const high = <u32>((<u64>number * 0xd1b71759) >> 45); // ÷ 10⁴
  const fours = <u64>high | (<u64>(number - high * 10000) << 32);
  const hundreds = ((fours * 10486) >> 20) & 0x0000007f0000007f;
  const twos = ((fours - hundreds * 100) << 16) + hundreds;
  const tens = ((twos * 103) >> 10) & 0x000f000f000f000f;
  return ((twos - tens * 10) << 8) + tens;
}

/** `units` / 10^places below 1, where units has at most nine digits and places is 8 or more; trailing zeros are left out. */
@inline function fraction(units: u32, places: u32, at: usize): usize {
  const first = <u32>(units >= 100000000);
  const rest = eightDigits(units - first * 100000000);
  store<u64>(at, 0x3030303030302e30); // 0.000000
  const tail = at + <usize>places - 6;
  // With eight places there is no ninth digit, and the point belongs here.
  store<u8>(tail - 1, ZERO + <u8>first);
  store<u8>(at + 1, POINT);
  store<u64>(tail, rest | 0x3030303030303030);
  return tail + 8 - <usize>(clz<u64>(rest) >> 3);
}

/** `units` / 10^places from 1 on, where places is 7 or less. */
function mixed(units: u32, places: u32, at: usize): usize {
  let power: u32 = 1;
  for (let i: u32 = 0; i < places; i++) power *= 10;
  const whole = units / power;
  let rest = units - whole * power;
  let end = at + 1;
  for (let bound: u32 = 10; whole >= bound; bound *= 10) end += 1;
  for (let number = whole, place = end; place > at; number /= 10) store<u8>(--place, ZERO + <u8>(number % 10));
  if (rest == 0) return end;
  store<u8>(end++, POINT);
  while (rest > 0) {
    power /= 10;
    const digit = rest / power;
    store<u8>(end++, ZERO + <u8>digit);
    rest -= digit * power;
  }
  return end;
}
