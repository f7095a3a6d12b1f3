/**
 * A large reply scanned on another thread: its vectors lie side by side in a few slabs of memory, which go over to the event loop's
 * thread as they are. It is work of src/aside/work.ts, which says what goes there and what comes back.
 */
import type { Places } from "./places";
import { type Scanned, scan } from "./scan";

export interface LargeReply {
  /** Handed over with their buffer, which is given up as soon as it is read. */
  readonly bytes: Uint8Array<ArrayBuffer>;
  readonly places: Places;
}

/** Keeping one vector keeps its slab; smaller, there are too many to hand over. */
const SLAB_FLOATS = 256 * 1024;

export function scanLarge({ bytes, places }: LargeReply): Scanned {
  let slab = new Float32Array(0);
  let used = 0;
  const room = (count: number): Float32Array => {
    if (used + count > slab.length) {
      slab = new Float32Array(Math.max(count, SLAB_FLOATS));
      used = 0;
    }
    used += count;
    return slab.subarray(used - count, used);
  };
  const { rest, found } = scan(bytes, places, room);
  // A copy, for it may be a part of memory that others use.
  const scanned = { rest: new Uint8Array(rest), found };
  // Tens of megabytes, which no collection need look for.
  bytes.buffer.transfer(0);
  return scanned;
}

export function isScanned(value: unknown): value is Scanned {
  return (
    typeof value === "object" &&
    value !== null &&
    "rest" in value &&
    value.rest instanceof Uint8Array &&
    "found" in value &&
    Array.isArray(value.found)
  );
}

/** All that it is in, each once. */
export function buffersOf({ rest, found }: Scanned): ArrayBuffer[] {
  const buffers = new Set([rest.buffer]);
  for (const one of found) if (typeof one !== "number") buffers.add(one.buffer);
  return [...buffers].filter((buffer) => buffer instanceof ArrayBuffer);
}
