/**
 * Prints float32 values as short decimals: the digits that a float32 needs, not those of the double that equals it.
 * Reading them back gives the same bits. digits/kernel.ts prints what vectors hold; what is out of its range is printed here.
 */
import { readFileSync } from "node:fs";
import kernelPath from "./digits/kernel.wasm" with { type: "file" };

/** Most bytes that one value takes: JavaScript writes an exponent from 10^21 on, so 21 digits and a sign. */
const FLOAT_BYTES_MAX = 22;

/** Values that the kernel is given at once: its memory holds their text. */
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

/** One for each thread, made when it is first needed. */
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

/**
 * Prints finite values with a comma after each.
 * @param take is given the text piece by piece; it is valid until `take` returns
 */
export function printFloats(values: Float32Array, take: (text: Uint8Array) => void): void {
  const { kernel, memory, values: block, textAt } = printer ?? openPrinter();
  for (let from = 0; from < values.length; from += BLOCK) {
    const some = values.length <= BLOCK ? values : values.subarray(from, from + BLOCK);
    block.set(some);
    take(memory.subarray(textAt, kernel.print(some.length)));
  }
}

/** Subnormals, large numbers, and whatever else JavaScript writes with an exponent or without a fraction. */
function writeOther(size: number, target: Uint8Array, at: number): number {
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
