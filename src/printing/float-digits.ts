/**
 * Prints float32 values as short decimals: only the digits that a float32 needs, not those of the equal double.
 * Reading them back gives the same bits. src/native/ prints typical vector values, or digits/kernel.ts if there is no machine code;
 * values outside their range are printed here.
 */
import { readFileSync } from "node:fs";
import { ALL_PRINTED, native, OTHER_VALUE } from "../native/native";
import type { ByteWriter } from "./byte-writer";
import kernelPath from "./digits/kernel.wasm" with { type: "file" };

/** The longest text of one value: JavaScript writes an exponent from 10^21 on, so 21 digits and a sign. */
const FLOAT_BYTES_MAX = 22;

/** Values per call of the kernel: its memory holds their text. */
const BLOCK = 4096;

interface Kernel {
  readonly memory: WebAssembly.Memory;
  reserve(count: number, bytesEach: number): void;
  valuesAt(): number;
  textAt(): number;
  print(count: number): number;
}

function isKernel(exports: object): exports is Kernel {
  const members = new Map<string, unknown>(Object.entries(exports));
  if (!(members.get("memory") instanceof WebAssembly.Memory)) return false;
  return ["reserve", "valuesAt", "textAt", "print"].every((name) => typeof members.get(name) === "function");
}

interface Printer {
  readonly kernel: Kernel;
  readonly memory: Uint8Array;
  readonly values: Float32Array;
  readonly textAt: number;
}

let printer: Printer | undefined;

/** One per thread, created when first needed. */
function openPrinter(): Printer {
  const caller = {
    writeOther: (size: number, at: number) => (printer ? writeOther(size, printer.memory, at) : at),
  };
  const { exports } = new WebAssembly.Instance(new WebAssembly.Module(readFileSync(kernelPath)), { caller });
  if (!isKernel(exports)) throw new Error("kernel.wasm is not the one that this file was written for.");
  exports.reserve(BLOCK, FLOAT_BYTES_MAX + 1);
  const { buffer } = exports.memory;
  printer = {
    kernel: exports,
    memory: new Uint8Array(buffer),
    values: new Float32Array(buffer, exports.valuesAt(), BLOCK),
    textAt: exports.textAt(),
  };
  return printer;
}

/** The progress of printing: values printed, and the position after the text. */
const progress = new Uint32Array(2);
/** Space that src/native/ needs for at least one value. */
const ROOM_BYTES = 64;

/**
 * Prints finite values, with a comma after each.
 * @param by what prints; left out: the fastest
 */
export function printFloats(values: Float32Array, writer: ByteWriter, by = native()): void {
  if (by === "without") {
    printPortably(values, writer);
    return;
  }
  progress[0] = 0;
  while (true) {
    const bytes = writer.reserve(ROOM_BYTES);
    progress[1] = writer.place;
    const how = by.print(values, bytes, progress);
    writer.advance(progress[1]);
    if (how === ALL_PRINTED) return;
    if (how === OTHER_VALUE) {
      const value = values[progress[0]] ?? 0;
      writer.writeAscii(`${value < 0 ? "-" : ""}${textOf(Math.abs(value))},`);
      progress[0] += 1;
    }
  }
}

function printPortably(values: Float32Array, writer: ByteWriter): void {
  const { kernel, memory, values: block, textAt } = printer ?? openPrinter();
  for (let from = 0; from < values.length; from += BLOCK) {
    const some = values.length <= BLOCK ? values : values.subarray(from, from + BLOCK);
    block.set(some);
    writer.put(memory.subarray(textAt, kernel.print(some.length)));
  }
}

function writeOther(size: number, target: Uint8Array, at: number): number {
  const text = textOf(size);
  for (let i = 0; i < text.length; i++) target[at + i] = text.charCodeAt(i);
  return at + text.length;
}

/** Subnormals, large numbers, and other values that JavaScript writes with an exponent or without a fraction. */
function textOf(size: number): string {
  for (let digits = 1; digits <= 9; digits++) {
    const short = Number(size.toPrecision(digits));
    if (Math.fround(short) === size) return String(short);
  }
  return String(size);
}
