/**
 * Reads lists of numbers and base64 as float32 by machine code (src/native/): the same vectors as lists.ts with its kernel, directly from the
 * reply's memory, and base64 directly into its destination. What the machine code cannot read is left to the other readers.
 */
import {
  AHEAD_BYTES,
  CLOSED,
  DOUBT,
  FULL,
  LAST_DOUBT,
  LONG,
  type NativeBytes,
  SHORT,
} from "../native/native";
import type { List, Room } from "./list";

/** For one list; it grows with the longest. */
let numbers = new Float32Array(4096);
const progress = new Uint32Array(4);
/** The last bytes of a reply, followed by zeros, which are not characters of JSON. */
const tail = new Uint8Array(2 * AHEAD_BYTES);

/**
 * The list that opens at a position; undefined unless it is a list of one or more numbers and nothing else; "long" if a number in it, or the
 * space around one, is longer than the machine code supports.
 */
export function readNativeList(
  bytes: Uint8Array,
  open: number,
  room: Room,
  by: NativeBytes,
): List | undefined | "long" {
  let text = bytes;
  /** Where the text starts in the reply. */
  let origin = 0;
  progress[0] = open + 1;
  progress[1] = 0;
  while (true) {
    const how = by.read(text, numbers, progress);
    const [at = 0, count = 0, from, to] = progress;
    if (how === DOUBT || how === LAST_DOUBT) numbers[count - 1] = Number(latin(text, from, to));
    else if (how === FULL) numbers = grown(numbers);
    else if (how === SHORT && text === bytes) {
      origin = at;
      tail.fill(0);
      tail.set(bytes.subarray(at));
      text = tail;
      progress[0] = 0;
    } else if (how === LONG) return "long";
    else if (how !== CLOSED) return undefined;
    if (how === CLOSED || how === LAST_DOUBT) {
      const end = origin + at;
      const values = room(count, end - open);
      values.set(numbers.subarray(0, count));
      return { values, end };
    }
  }
}

function grown(some: Float32Array): Float32Array<ArrayBuffer> {
  const more = new Float32Array(2 * some.length);
  more.set(some);
  return more;
}

const EQUALS = 61;

/** undefined unless it is plain base64 of at least one float32. */
export function readNativeBase64(
  bytes: Uint8Array,
  from: number,
  to: number,
  room: Room,
  by: NativeBytes,
): Float32Array | undefined {
  const length = to - from;
  if (length === 0 || length % 4 !== 0) return undefined;
  const padding = bytes[to - 1] === EQUALS ? (bytes[to - 2] === EQUALS ? 2 : 1) : 0;
  const byteCount = (length / 4) * 3 - padding;
  if (byteCount % 4 !== 0) return undefined;
  const values = room(byteCount / 4, length);
  return by.decode(bytes, from, to, values) === byteCount ? values : undefined;
}

const latin = ({ buffer, byteOffset }: Uint8Array, from = 0, to = 0) =>
  Buffer.from(buffer, byteOffset + from, to - from).toString("latin1");
