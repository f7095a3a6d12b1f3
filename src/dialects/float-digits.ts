/**
 * Prints float32 values as short decimals, straight into bytes: the digits that a float32 needs, not those of the double that equals it.
 * Reading them back gives the same bits, which is checked for each value as it is printed; what is out of the fast way's range is left
 * to JavaScript's own printing, under the same check.
 */

/** Most bytes that one value takes: JavaScript writes an exponent from 10^21 on, so 21 digits and a sign. */
export const FLOAT_BYTES_MAX = 22;

const ZERO = 48;
const POINT = 46;
const MINUS = 45;

/** Three digits of each number below a thousand. */
const THREE_DIGITS = new Uint8Array(3000);
for (let i = 0; i < 1000; i++) {
  THREE_DIGITS[3 * i] = ZERO + Math.floor(i / 100);
  THREE_DIGITS[3 * i + 1] = ZERO + (Math.floor(i / 10) % 10);
  THREE_DIGITS[3 * i + 2] = ZERO + (i % 10);
}

/** Below 10^-6 JavaScript itself writes an exponent, and vectors hold next to nothing there. */
const FAST_FROM = 1e-6;
/** 10^e for as many digits after the point as the fast way writes: all of them exact. */
const POWERS = Float64Array.from({ length: 16 }, (_, e) => 10 ** e);

/**
 * Writes a finite value at `at`, where FLOAT_BYTES_MAX bytes are free.
 * @returns where it ends
 */
export function writeFloat(value: number, target: Uint8Array, at: number): number {
  let end = at;
  let size = value;
  if (value < 0 || (value === 0 && Object.is(value, -0))) {
    target[end++] = MINUS;
    size = -value;
  }
  if (size >= FAST_FROM && size < 1) {
    // Zeros between the point and the first digit.
    const zeros =
      size >= 0.01 ? (size >= 0.1 ? 0 : 1) : size >= 0.001 ? 2 : size >= 0.0001 ? 3 : size >= 0.00001 ? 4 : 5;
    // Seven digits are enough for some, nine for all.
    for (let digits = 7; digits <= 9; digits++) {
      const power = POWERS[zeros + digits] ?? 1;
      // A whole number below 10^9.
      const scaled = (size * power + 0.5) | 0;
      // The division rounds as a reader does, so that what is read is what is compared here.
      if (scaled < power && Math.fround(scaled / power) === size)
        return writeFraction(scaled, zeros + digits, target, end);
    }
  }
  return writeSlowly(size, target, end);
}

/** `scaled` / 10^places, which is below 1: nine digits at most, zeros at the end left out. */
function writeFraction(scaled: number, places: number, target: Uint8Array, at: number): number {
  target[at] = ZERO;
  target[at + 1] = POINT;
  const from = at + 2;
  let end = from;
  // What does not fit in nine digits is zeros.
  for (let zeros = places - 9; zeros > 0; zeros--) target[end++] = ZERO;
  const width = Math.min(places, 9);
  // As whole thousands from the point on, whatever zeros that writes behind.
  const whole = width === 9 ? scaled : (scaled * (POWERS[9 - width] ?? 1)) | 0;
  const high = (whole / 1_000_000) | 0;
  const rest = whole - high * 1_000_000;
  const middle = (rest / 1000) | 0;
  const low = rest - middle * 1000;
  end = writeThree(high, target, end);
  end = writeThree(middle, target, end);
  end = writeThree(low, target, end);
  while (target[end - 1] === ZERO) end--;
  return end;
}

function writeThree(number: number, target: Uint8Array, at: number): number {
  const from = 3 * number;
  target[at] = THREE_DIGITS[from] ?? ZERO;
  target[at + 1] = THREE_DIGITS[from + 1] ?? ZERO;
  target[at + 2] = THREE_DIGITS[from + 2] ?? ZERO;
  return at + 3;
}

/** Zero, subnormals, whole numbers, and whatever is large. */
function writeSlowly(size: number, target: Uint8Array, at: number): number {
  let text = String(size);
  for (let digits = 1; digits <= 9; digits++) {
    const short = Number(size.toPrecision(digits));
    if (Math.fround(short) !== size) continue;
    text = String(short);
    break;
  }
  for (let i = 0; i < text.length; i++) target[at + i] = text.charCodeAt(i);
  return at + text.length;
}
