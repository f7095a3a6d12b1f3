/**
 * Reads lists of numbers and base64 from a reply's bytes as float32, without a list of doubles or a string in between. native-lists.ts reads them
 * if machine code is available; otherwise kernel/numbers.wasm. The kernel interprets the bytes; this file passes them to it in pieces and
 * copies its numbers out. Where WebAssembly has no SIMD, plain-lists.ts reads the same lists, with more time and memory.
 */
import { readFileSync } from "node:fs";
import { native } from "../native/native";
import kernelPath from "./kernel/numbers.wasm" with { type: "file" };
import type { List, Room } from "./list";
import { readNativeBase64, readNativeList } from "./native-lists";
import { readPlainBase64, readPlainList } from "./plain-lists";

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

/** The results of the kernel's `read`. */
const CLOSED = 0;
const MORE = 1;

interface Loaded {
  readonly kernel: Kernel;
  readonly input: Uint8Array;
  readonly output: Float32Array;
}

let loaded: Loaded | "without" | undefined;
/** The reply whose bytes are in the kernel's memory. */
let holder: Lists | undefined;

/** Once, for the first list: it takes half a millisecond, which would delay the start. */
function load(): Loaded | "without" {
  const bytes = readFileSync(kernelPath);
  // JavaScriptCore has SIMD only on processors with AVX: oven-sh/bun has "baseline" builds for others, where such a module does not validate.
  if (!WebAssembly.validate(bytes)) return "without";
  let memory = Buffer.alloc(0);
  const number = (start: number, end: number) => Number(memory.toString("latin1", start, end));
  const { exports } = new WebAssembly.Instance(new WebAssembly.Module(bytes), { replies: { number } });
  if (!isKernel(exports)) throw new Error("numbers.wasm is not the one that this file was written for.");
  const { buffer } = exports.memory;
  memory = Buffer.from(buffer);
  return {
    kernel: exports,
    input: new Uint8Array(buffer, exports.inputAt(), exports.inputBytes()),
    output: new Float32Array(buffer, exports.outputAt(), exports.inputBytes() / 2),
  };
}

/** The lists of one reply, read in the order of the reply. */
export class Lists {
  /** The bytes in the kernel's memory start at this position of the reply … */
  private from = 0;
  /** … and end here. */
  private to = 0;

  /** @param by the reader to use; left out: the fastest */
  constructor(
    private readonly bytes: Uint8Array,
    private readonly by = native(),
  ) {}

  /** The list that opens at a position; undefined unless it is a list of one or more numbers and nothing else. */
  read(open: number, room: Room): List | undefined {
    if (this.by !== "without") {
      const list = readNativeList(this.bytes, open, room, this.by);
      if (list !== "long") return list;
    }
    loaded ??= load();
    if (loaded === "without") return readPlainList(this.bytes, open, room);
    const { kernel, output, input } = loaded;
    const before: Float32Array[] = [];
    let at = open + 1;
    if (!this.holds(at, at + 1)) this.bring(at, input);
    while (true) {
      const origin = kernel.inputAt() - this.from;
      const how = kernel.read(origin + at, origin + this.to);
      const numbers = output.subarray(0, kernel.count());
      const end = kernel.readTo() - origin;
      if (how === CLOSED) {
        const values = room(
          before.reduce((sum, { length }) => sum + length, numbers.length),
          end - open,
        );
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
      this.bring(at, input);
    }
  }

  /**
   * Little-endian float32: all vendors send it, and every processor that Bun supports uses it. undefined unless it is plain base64 of at least
   * one number: escapes, white space and errors are left to the reader of ordinary strings.
   */
  readBase64(from: number, to: number, room: Room): Float32Array | undefined {
    if (this.by !== "without") return readNativeBase64(this.bytes, from, to, room, this.by);
    loaded ??= load();
    if (loaded === "without") return readPlainBase64(this.bytes, from, to, room);
    const { kernel, output, input } = loaded;
    const length = to - from;
    if (length === 0 || length % 4 !== 0 || length > input.length) return undefined;
    if (!this.holds(from, to)) this.bring(from, input);
    const origin = kernel.inputAt() - this.from;
    const byteCount = kernel.readBase64(origin + from, origin + to);
    if (byteCount <= 0 || byteCount % 4 !== 0) return undefined;
    const values = room(byteCount / 4, length);
    values.set(output.subarray(0, byteCount / 4));
    return values;
  }

  private holds(from: number, to: number): boolean {
    return holder === this && from >= this.from && to <= this.to;
  }

  private bring(from: number, input: Uint8Array): void {
    holder = this;
    this.from = from;
    this.to = Math.min(this.bytes.length, from + input.length);
    input.set(this.bytes.subarray(from, this.to));
  }
}
