/**
 * Lists of numbers and base64 in a reply's bytes as float32, read by kernel/numbers.wasm: no list of doubles and no string is made on the way.
 * What the bytes mean is the kernel's; this file brings them to it piece by piece and takes its numbers away.
 */
import { readFileSync } from "node:fs";
import kernelPath from "./kernel/numbers.wasm" with { type: "file" };

/** Gives room for so many numbers, which its caller fills at once. */
export type Room = (count: number) => Float32Array;

interface Kernel {
  readonly memory: WebAssembly.Memory;
  inputAt(): number;
  inputBytes(): number;
  outputAt(): number;
  read(start: number, end: number): number;
  readTo(): number;
  count(): number;
  readBase64(start: number, end: number): number;
}

const FUNCTIONS = ["inputAt", "inputBytes", "outputAt", "read", "readTo", "count", "readBase64"];

function isKernel(exports: object): exports is Kernel {
  const members = new Map<string, unknown>(Object.entries(exports));
  if (!(members.get("memory") instanceof WebAssembly.Memory)) return false;
  return FUNCTIONS.every((name) => typeof members.get(name) === "function");
}

/** As the kernel's `read` says it. */
const CLOSED = 0;
const MORE = 1;

interface Loaded {
  readonly kernel: Kernel;
  readonly input: Uint8Array;
  readonly output: Float32Array;
}

let loaded: Loaded | undefined;

/** Once, when the first list is read: half a millisecond that no start waits for. */
function load(): Loaded {
  let memory = Buffer.alloc(0);
  const number = (start: number, end: number) => Number(memory.toString("latin1", start, end));
  const { exports } = new WebAssembly.Instance(new WebAssembly.Module(readFileSync(kernelPath)), {
    replies: { number },
  });
  if (!isKernel(exports)) throw new Error("numbers.wasm is not the one that this file was written for.");
  const { buffer } = exports.memory;
  memory = Buffer.from(buffer);
  return {
    kernel: exports,
    input: new Uint8Array(buffer, exports.inputAt(), exports.inputBytes()),
    output: new Float32Array(buffer, exports.outputAt(), exports.inputBytes() / 2),
  };
}

export interface List {
  readonly values: Float32Array;
  /** The place after its closing bracket. */
  readonly end: number;
}

/** The lists of one reply, read in the order in which they stand there. Those of two replies must not be read in turns. */
export class Lists {
  private readonly kernel: Kernel;
  private readonly input: Uint8Array;
  private readonly output: Float32Array;
  /** The bytes that lie in the kernel's memory, from here … */
  private from = 0;
  /** … to here. */
  private to = 0;

  constructor(private readonly bytes: Uint8Array) {
    loaded ??= load();
    ({ kernel: this.kernel, input: this.input, output: this.output } = loaded);
  }

  /** The list that opens at a place; undefined for what is no list of one or more numbers and nothing else. */
  read(open: number, room: Room): List | undefined {
    const { kernel, output } = this;
    const before: Float32Array[] = [];
    let at = open + 1;
    if (at < this.from || at >= this.to) this.bring(at);
    while (true) {
      const origin = kernel.inputAt() - this.from;
      const how = kernel.read(origin + at, origin + this.to);
      const numbers = output.subarray(0, kernel.count());
      const end = kernel.readTo() - origin;
      if (how === CLOSED) {
        const values = room(before.reduce((sum, { length }) => sum + length, numbers.length));
        let filled = 0;
        for (const part of before) {
          values.set(part, filled);
          filled += part.length;
        }
        values.set(numbers, filled);
        return { values, end };
      }
      const isStuck = end === this.from || this.to === this.bytes.length;
      if (how !== MORE || isStuck) return undefined;
      before.push(numbers.slice());
      at = end;
      this.bring(at);
    }
  }

  /**
   * Little-endian float32, as all vendors send it and as every processor that Bun runs on keeps it. Undefined for anything but plain
   * base64 of some: escapes, white space and faults are for whoever reads the string as a string.
   */
  readBase64(from: number, to: number, room: Room): Float32Array | undefined {
    const length = to - from;
    if (length === 0 || length % 4 !== 0 || length > this.input.length) return undefined;
    if (from < this.from || to > this.to) this.bring(from);
    const origin = this.kernel.inputAt() - this.from;
    const byteCount = this.kernel.readBase64(origin + from, origin + to);
    if (byteCount <= 0 || byteCount % 4 !== 0) return undefined;
    const values = room(byteCount / 4);
    values.set(this.output.subarray(0, byteCount / 4));
    return values;
  }

  private bring(from: number): void {
    this.from = from;
    this.to = Math.min(this.bytes.length, from + this.input.length);
    this.input.set(this.bytes.subarray(from, this.to));
  }
}
