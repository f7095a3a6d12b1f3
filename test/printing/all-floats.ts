/**
 * Prints all 2³² float32 values with every printer, and reads them with every reader: `bun test/printing/all-floats.ts`, some minutes of one core.
 * Not part of the tests. Everything that the kernels print is compared byte for byte and read back to its bits. Values outside of a kernel's range
 * are left to its caller, which prints them by one function for all (float-digits.ts).
 */
import { OTHER_VALUE, openNative, VARIANTS } from "../../src/native/native";
import { ByteWriter } from "../../src/printing/byte-writer";
import { printFloats } from "../../src/printing/float-digits";
import { Lists } from "../../src/replies/lists";

const BLOCK = 1 << 18;
/** 10⁻⁶ and 2²³ as bits; the kernels print the values between them. */
const [FIRST, LAST] = [0x358637bd, 0x4b000000];

const natives = VARIANTS.map((variant) => openNative(variant));
const bits = new Uint32Array(BLOCK);
const values = new Float32Array(bits.buffer);
const figures = { printed: 0, left: 0 };

function fill(from: number, to: number): Float32Array {
  for (let i = 0; i < to - from; i++) bits[i] = from + i;
  return values.subarray(0, to - from);
}

function printed(from: number, to: number): void {
  const some = fill(from, to);
  const texts = (["without", ...natives] as const).map((by) => {
    const writer = new ByteWriter(some.length * 13);
    writer.writeAscii("[");
    printFloats(some, writer, by);
    writer.back();
    writer.writeAscii("]");
    return Buffer.from(writer.written());
  });
  const [text = Buffer.alloc(0), ...others] = texts;
  if (!others.every((other) => other.equals(text)))
    throw new Error(`other bytes from ${from.toString(16)} on`);
  for (const by of ["without", ...natives] as const) {
    const read = new Lists(text, by).read(0, (count) => new Float32Array(count))?.values;
    const isSame = read && Buffer.from(read.buffer).equals(Buffer.from(bits.buffer, 0, some.byteLength));
    if (!isSame) throw new Error(`other values from ${from.toString(16)} on`);
  }
  figures.printed += some.length;
}

function left(from: number, to: number): void {
  const some = fill(from, to);
  const bytes = new Uint8Array(256);
  for (const { print } of natives) {
    const progress = Uint32Array.of(0, 0);
    for (let i = 0; i < some.length; i++) {
      progress[0] = i;
      if (print(some, bytes, progress) !== OTHER_VALUE || progress[0] !== i || progress[1] !== 0)
        throw new Error(`${(from + i).toString(16)} is printed`);
    }
  }
  figures.left += some.length;
}

for (const sign of [0, 0x80000000]) {
  // Every printer prints zero.
  printed(sign, sign + 1);
  for (const [begin, end, check] of [
    [1, FIRST, left],
    [FIRST, LAST, printed],
    [LAST, 0x80000000, left],
  ] as const) {
    for (let from = begin; from < end; from += BLOCK) check(sign + from, sign + Math.min(from + BLOCK, end));
  }
}
console.log(
  `${VARIANTS.join(", ")} and WebAssembly: ${figures.printed} values printed alike and read back, ${figures.left} left to the caller`,
);
