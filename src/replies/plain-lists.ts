/**
 * Reads lists of numbers and base64 as float32 without kernel/numbers.wasm, for processors on which WebAssembly has no SIMD: the same vectors,
 * and the same lists left to other readers, by JavaScript's own numbers and strings. Every rule of lists.ts on what a list is holds here too.
 */
import type { List, Room } from "./list";

const CLOSE_LIST = 93;
const PLAIN_BASE64 = /^[A-Za-z0-9+/]+={0,2}$/;

/** The list that opens at a position; undefined unless it is a list of one or more numbers and nothing else. */
export function readPlainList(bytes: Uint8Array, open: number, room: Room): List | undefined {
  // A number contains no bracket, so the text before the first closing bracket is the whole list, or it is not a list of numbers.
  const close = bytes.indexOf(CLOSE_LIST, open);
  if (close === -1) return undefined;
  const numbers = parsed(latin(bytes, open, close + 1));
  if (!Array.isArray(numbers) || numbers.length === 0) return undefined;
  if (!numbers.every((one) => typeof one === "number")) return undefined;
  const values = room(numbers.length, close + 1 - open);
  values.set(numbers);
  return { values, end: close + 1 };
}

/** Little-endian float32; undefined unless it is plain base64 of at least one number. */
export function readPlainBase64(
  bytes: Uint8Array,
  from: number,
  to: number,
  room: Room,
): Float32Array | undefined {
  const text = latin(bytes, from, to);
  if (text.length % 4 !== 0 || !PLAIN_BASE64.test(text)) return undefined;
  const decoded = Buffer.from(text, "base64");
  if (decoded.length === 0 || decoded.length % 4 !== 0) return undefined;
  const values = room(decoded.length / 4, text.length);
  new Uint8Array(values.buffer, values.byteOffset, values.byteLength).set(decoded);
  return values;
}

const latin = ({ buffer, byteOffset }: Uint8Array, from: number, to: number) =>
  Buffer.from(buffer, byteOffset + from, to - from).toString("latin1");

function parsed(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    // Not a list of numbers: the reader of the whole reply reports the error.
    return undefined;
  }
}
