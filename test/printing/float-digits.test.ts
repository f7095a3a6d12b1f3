/**
 * Printing float32 values: whatever is written reads back to the same bits, and is JSON.
 */
import { expect, test } from "bun:test";
import { createHash } from "node:crypto";
import { readFileSync } from "node:fs";
import { join } from "node:path";
import { ByteWriter } from "../../src/printing/byte-writer";
import { buildKernel } from "../../src/printing/digits/build";
import { printFloats } from "../../src/printing/float-digits";
import { NATIVES } from "../native/natives";

const FOLDER = join(import.meta.dir, "../../src/printing/digits");

const fromBits = (bits: readonly number[]) => new Float32Array(Uint32Array.from(bits).buffer);

/** Fails if this machine's fastest printer prints other bytes than the portable one. */
function textOf(values: Float32Array): string {
  const texts = (["without", ...NATIVES] as const).map((by) => {
    // Too small: the kernels must ask for more space.
    const writer = new ByteWriter(values.length);
    printFloats(values, writer, by);
    return Buffer.from(writer.written()).toString("latin1");
  });
  const [text = ""] = texts;
  for (const other of texts) if (other !== text) throw new Error("The kernels print different texts.");
  return text.replace(/,$/, "");
}

/** @returns the printed texts; fails if one does not read back to its value */
function printed(allBits: readonly number[]): string[] {
  const text = textOf(fromBits(allBits));
  // Through doubles, as clients read it.
  const read = new Uint32Array(Float32Array.from(JSON.parse(`[${text}]`)).buffer);
  const texts = text.split(",");
  for (const [i, bits] of allBits.entries())
    if (read[i] !== bits) throw new Error(`${bits.toString(16)} was printed as ${texts[i]}`);
  return texts;
}

/** Every exponent except that of infinities, with random mantissas, and those at both ends. */
function ofAllExponents(each: number): number[] {
  const all: number[] = [];
  let state = 1;
  for (let exponent = 0; exponent < 255; exponent++) {
    for (let i = 0; i < each; i++) {
      state = (Math.imul(state, 1664525) + 1013904223) >>> 0;
      const mantissa = [0, 1, 2, 0x7ffffe, 0x7fffff][i >> 1] ?? state >>> 9;
      all.push((((i & 1) << 31) | (exponent << 23) | mantissa) >>> 0);
    }
  }
  return all;
}

test("reads back bit-equal, over all exponents and both signs", () => {
  const texts = printed(ofAllExponents(4000));
  // Nine digits are always enough: as doubles they would have nineteen on average.
  expect(texts.reduce((sum, { length }) => sum + length, 0) / texts.length).toBeLessThan(14);
});

test("is as short as possible", () => {
  const all = ofAllExponents(200);
  for (const [i, text] of printed(all).entries()) {
    const [value = 0] = fromBits([all[i] ?? 0]);
    let digits = 1;
    while (Math.fround(Number(value.toPrecision(digits))) !== value) digits += 1;
    const own = text.replace(/e.*$/, "").replace(/^-?0?\.?0*|\./g, "");
    expect([text, own.includes("e") || own.replace(/0+$/, "").length <= digits]).toEqual([text, true]);
  }
});

test("reads back bit-equal around every power of ten and of two where the algorithm changes", () => {
  for (let power = -46; power <= 38; power++) {
    const [middle = 0] = new Uint32Array(Float32Array.of(10 ** power).buffer);
    printed(Array.from({ length: 1001 }, (_, off) => Math.max(0, middle + off - 500)));
  }
  // 2²⁷ of a last place, in units of 2⁻³⁶: from there on they are negative when read as signed numbers.
  for (let places = 0; places <= 13; places++) {
    const [middle = 0] = new Uint32Array(Float32Array.of(2 ** 27 / 10 ** places).buffer);
    printed(Array.from({ length: 1001 }, (_, off) => middle + off - 500));
  }
  for (let exponent = 1; exponent < 255; exponent++)
    printed(Array.from({ length: 1001 }, (_, off) => (exponent << 23) + off - 500));
});

test("prints any number of values", () => {
  for (const count of [0, ...Array.from({ length: 40 }, (_, i) => i + 1), 4095, 4096, 4097, 10_000]) {
    const values = Float32Array.from({ length: count }, (_, i) => Math.sin(i));
    expect(Float32Array.from(JSON.parse(`[${textOf(values)}]`))).toEqual(values);
  }
});

test("the longest texts of a whole block fit", () => {
  const values = new Float32Array(4096).fill(-9.99999e20);
  expect(Float32Array.from(JSON.parse(`[${textOf(values)}]`))).toEqual(values);
});

test("values of all kinds next to each other", () => {
  const kinds = [0.0123, -0.0123, 0, -0, 1e-7, -1e-7, 12.5, -8388607.5, 3e38, 0.5, -1e-45, 16777216, 0.1];
  for (let seed = 1; seed <= 200; seed++) {
    let state = seed;
    const values = Float32Array.from({ length: 100 }, () => {
      state = (Math.imul(state, 1664525) + 1013904223) >>> 0;
      // Mostly typical vector values, so that there are whole groups of them.
      return kinds[(state >>> 8) % (10 * kinds.length)] ?? 0.0123;
    });
    expect(Float32Array.from(JSON.parse(`[${textOf(values)}]`))).toEqual(values);
  }
});

test("kernel.ts compiles to the bytes of kernel.wasm, which SHA256SUMS lists", async () => {
  const committed = readFileSync(join(FOLDER, "kernel.wasm"));
  expect(Buffer.compare(await buildKernel(), committed)).toBe(0);
  const sha256 = createHash("sha256").update(committed).digest("hex");
  expect(readFileSync(join(FOLDER, "SHA256SUMS"), "utf8")).toBe(`${sha256}  kernel.wasm\n`);
}, 30_000);

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
  [1.1, "1.1"],
  [-123.456, "-123.456"],
  [1234567.1, "1234567.1"],
  [8388607.5, "8388607.5"],
  [-1e21, "-1e+21"],
  [9.999999e-7, "9.999999e-7"],
])("%p is written as %p", (number, text) => {
  expect(textOf(Float32Array.of(number))).toBe(text);
});
