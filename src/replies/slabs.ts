/**
 * The vectors of one reply share a few slabs of memory: separate memory for each takes half as long again to allocate and to collect.
 * A large reply is scanned in slices, or on another thread, and its slabs are transferred to the event loop's thread without a copy.
 * src/aside/work.ts defines what is transferred each way.
 */
import { native } from "../native/native";
import type { Room } from "./list";
import type { Places } from "./places";
import { type Scanned, Scanning, scan } from "./scan";

export interface LargeReply {
  /** Transferred with its buffer, which is freed as soon as it is read. */
  readonly bytes: Uint8Array<ArrayBuffer>;
  readonly places: Places;
}

/** The largest slab. Keeping one vector keeps its whole slab; with smaller slabs there would be too many to transfer. */
const SLAB_FLOATS = 256 * 1024;

const FREED_BYTES_MIN = 200_000;
/** For each slab of a large reply the bytes of the vectors in it. */
const takenBytes = new WeakMap<ArrayBufferLike, number>();

const NO_SLAB = new Float32Array(0);

/** @param bytes size of the whole reply, which may contain vectors like the first one up to its end */
export function slabs(bytes: number): Room {
  let slab = NO_SLAB;
  let used = 0;
  let bytesLeft = bytes;
  return (count, bytesOfOne) => {
    if (used + count > slab.length) {
      const vectors = Math.max(1, Math.floor(Math.min(bytesLeft / bytesOfOne, SLAB_FLOATS / count)));
      slab = new Float32Array(vectors * count);
      used = 0;
    }
    bytesLeft -= bytesOfOne;
    used += count;
    // Small ones are left to garbage collection: to ask for their buffer makes another object.
    if (bytes >= FREED_BYTES_MIN) takenBytes.set(slab.buffer, used * Float32Array.BYTES_PER_ELEMENT);
    return used === slab.length && used === count ? slab : slab.subarray(used - count, used);
  };
}

/**
 * Frees the memory of vectors that nobody needs any more, without waiting for garbage collection. A slab that holds other vectors, too, is left as
 * it is. Whoever still has one of the vectors finds it empty.
 */
export function freeSlabs(vectors: readonly Float32Array[]): void {
  // Those of an answer from the cache have memory of their own each.
  if (vectors[0] === undefined || !takenBytes.has(vectors[0].buffer)) return;
  const bytesIn = new Map<ArrayBufferLike, number>();
  for (const { buffer, byteLength } of new Set(vectors))
    bytesIn.set(buffer, (bytesIn.get(buffer) ?? 0) + byteLength);
  for (const [buffer, bytes] of bytesIn)
    if (buffer instanceof ArrayBuffer && takenBytes.get(buffer) === bytes) buffer.transfer(0);
}

export function scanLarge({ bytes, places }: LargeReply): Scanned {
  return done(bytes, scan(bytes, places, slabs(bytes.byteLength)), free);
}

/** Takes a third of a millisecond. */
const SLICE_BYTES = 400_000;

/**
 * Scans the reply on this thread in slices, if that is cheaper than transferring it: base64, by machine code. Other replies are not read, and
 * their bytes are left unchanged.
 * @param slice before each slice @param giveBack is given the bytes once they are read
 */
export async function scanInSlices(
  { bytes, places }: LargeReply,
  slice: () => Promise<void>,
  giveBack: (bytes: Uint8Array<ArrayBuffer>) => void = free,
): Promise<Scanned | undefined> {
  if (native() === "without") return undefined;
  const scanning = new Scanning(bytes, places, slabs(bytes.byteLength));
  let sliceEnd = SLICE_BYTES;
  let isFirst = true;
  while (scanning.next()) {
    if (isFirst && !scanning.isBase64) return undefined;
    isFirst = false;
    if (scanning.at < sliceEnd) continue;
    sliceEnd = scanning.at + SLICE_BYTES;
    await slice();
  }
  return done(bytes, scanning.result(), giveBack);
}

function done(
  bytes: Uint8Array<ArrayBuffer>,
  { rest, found }: Scanned,
  giveBack: (bytes: Uint8Array<ArrayBuffer>) => void,
): Scanned {
  // A copy, because the rest may be part of memory that others use.
  const scanned = { rest: new Uint8Array(rest), found };
  giveBack(bytes);
  return scanned;
}

/** At once: tens of megabytes that need not wait for garbage collection. */
const free = ({ buffer }: Uint8Array<ArrayBuffer>) => void buffer.transfer(0);

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

/** All buffers of the result, without repetitions. */
export function buffersOf({ rest, found }: Scanned): ArrayBuffer[] {
  const buffers = new Set([rest.buffer]);
  for (const one of found) if (typeof one !== "number") buffers.add(one.buffer);
  return [...buffers].filter((buffer) => buffer instanceof ArrayBuffer);
}
