/**
 * The printing of float32 values: whatever is written reads back to the same bits, and is JSON.
 */
import { expect, test } from "bun:test";
import { FLOAT_BYTES_MAX, writeFloat } from "../../src/dialects/float-digits";

const bits = new Uint32Array(1);
const value = new Float32Array(bits.buffer);
const target = new Uint8Array(FLOAT_BYTES_MAX + 8);

/** @returns what it is printed as; fails where that is not the value */
function printed(ofBits: number): string {
  bits[0] = ofBits;
  target.fill(0);
  const end = writeFloat(value[0] ?? 0, target, 0);
  const text = Buffer.from(target).toString("latin1", 0, end);
  if (end > FLOAT_BYTES_MAX) throw new Error(`${text} is ${end} bytes`);
  const read = Float32Array.of(JSON.parse(text));
  const [readBits] = new Uint32Array(read.buffer);
  if (readBits !== ofBits) throw new Error(`${ofBits.toString(16)} was printed as ${text}`);
  return text;
}

/** Every exponent but that of infinities, with mantissas from a generator. */
test("reads back bit-equal, over all exponents and both signs", () => {
  let state = 1;
  let characters = 0;
  let values = 0;
  for (let exponent = 0; exponent < 255; exponent++) {
    for (let i = 0; i < 2000; i++) {
      state = (Math.imul(state, 1664525) + 1013904223) >>> 0;
      const mantissa = i === 0 ? 0 : i === 1 ? 0x7fffff : i === 2 ? 1 : state >>> 9;
      characters += printed((((i & 1) << 31) | (exponent << 23) | mantissa) >>> 0).length;
      values += 1;
    }
  }
  // Nine digits are always enough: the doubles' digits would be nineteen on average.
  expect(characters / values).toBeLessThan(14);
});

test("reads back bit-equal around every power of ten that the fast way turns at", () => {
  for (let power = -46; power <= 38; power++) {
    value[0] = 10 ** power;
    const middle = bits[0] ?? 0;
    for (let off = -500; off <= 500; off++) if (middle + off >= 0) printed(middle + off);
  }
});

test.each([
  [0, "0"],
  [-0, "-0"],
  [1, "1"],
  [-1, "-1"],
  [0.1, "0.1"],
  [-0.25, "-0.25"],
  [0.5, "0.5"],
  [0.001, "0.001"],
  [1e-6, "0.000001"],
  [1e-45, "1e-45"],
  [3.4028234663852886e38, "3.4028235e+38"],
  [0.99999994, "0.99999994"],
  [1.5, "1.5"],
  [16777216, "16777216"],
])("%p is written as %p", (number, text) => {
  value[0] = number;
  expect(printed(bits[0] ?? 0)).toBe(text);
});
