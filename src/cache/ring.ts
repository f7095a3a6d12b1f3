/**
 * Vectors in memory that several processes share without a lock: rows are written one after another into a ring of bytes, over the
 * oldest, and a table says where a key's row may be. A row that is found is copied first, and used only if the copy's checksum
 * (row.ts) proves that it is the key's, so a row that is overwritten or half written is a miss. A change raises LAYOUT.
 */
import { writeSync } from "node:fs";
import type { Outside } from "../domain/outside";
import { createNamelessFile, type NamelessFile } from "../machine/nameless-file";
import type { CacheEntry, CacheKey } from "./entry";
import type { Memory } from "./memory";
import { fromRow, toRow } from "./row";

const LAYOUT = 1;
/** Rows start at multiples of this, and positions count in it. */
const UNIT_BYTES = 64;
const HEADER_BYTES = 4_096;
/** Int32 indices in the header. */
const LAYOUT_AT = 0;
const HEAD_AT = 1;
const EXTENT_AT = 2;
/** One table slot per this many bytes: a vector of 384 numbers takes a little more. */
const BYTES_A_PLACE = 1_024;
const PLACES_TOGETHER = 8;
/** In front of a row: its length, and two words of its key. */
const ROW_HEAD_BYTES = 16;
/** Mapped one by one when needed, because a single mapping is limited in size. No row crosses a border. */
const SEGMENT_BYTES = 256 * 2 ** 20;
const SEGMENT_UNITS = SEGMENT_BYTES / UNIT_BYTES;
/** New space is allocated in pieces by writing: if it were only touched, a full file system would kill the process. */
const PIECE = new Uint8Array(2 ** 20);
const PIECE_UNITS = PIECE.length / UNIT_BYTES;

export interface RingPlace {
  readonly descriptor: number;
  /** The space for rows. */
  readonly bytes: number;
}

const placesFor = (bytes: number) =>
  PLACES_TOGETHER * Math.max(1, Math.ceil(bytes / BYTES_A_PLACE / PLACES_TOGETHER));
const rowsFrom = (bytes: number) => HEADER_BYTES + Math.ceil((4 * placesFor(bytes)) / 4_096) * 4_096;

/** @throws Error if no folder accepts the file */
export function createRingFile(name: string, bytes: number): NamelessFile {
  const start = new Uint8Array(rowsFrom(bytes));
  new Int32Array(start.buffer)[LAYOUT_AT] = LAYOUT;
  return createNamelessFile(name, rowsFrom(bytes) + bytes, start);
}

/** @returns undefined if another version created the file */
export function openRing(
  { descriptor, bytes }: RingPlace,
  { log }: Pick<Outside, "log">,
): Memory | undefined {
  const path = `/proc/self/fd/${descriptor}`;
  const rowsAt = rowsFrom(bytes);
  const start = Bun.mmap(path, { shared: true, size: rowsAt });
  const header = new Int32Array(start.buffer, start.byteOffset, HEADER_BYTES / 4);
  const places = new Int32Array(start.buffer, start.byteOffset + HEADER_BYTES, placesFor(bytes));
  if (Atomics.load(header, LAYOUT_AT) !== LAYOUT) return undefined;
  const segments: { readonly bytes: Uint8Array; readonly words: Int32Array }[] = [];
  let units = Math.floor(bytes / UNIT_BYTES);
  let isFull = false;
  let copied = new Uint8Array(0);

  function segmentOf(unit: number) {
    const index = Math.floor(unit / SEGMENT_UNITS);
    const known = segments[index];
    if (known) return known;
    const size = Math.min(SEGMENT_BYTES, bytes - index * SEGMENT_BYTES);
    const mapped = Bun.mmap(path, { shared: true, offset: rowsAt + index * SEGMENT_BYTES, size });
    const words = new Int32Array(mapped.buffer, mapped.byteOffset, Math.floor(mapped.length / 4));
    segments[index] = { bytes: mapped, words };
    return { bytes: mapped, words };
  }

  /** Reserves the next `count` units for writing. */
  function reserve(count: number): number {
    for (;;) {
      const head = Atomics.load(header, HEAD_AT);
      const inSegment = head % SEGMENT_UNITS;
      let from = inSegment + count > SEGMENT_UNITS ? head - inSegment + SEGMENT_UNITS : head;
      if (from + count > units) from = 0;
      if (Atomics.compareExchange(header, HEAD_AT, head, from + count) === head) return from;
    }
  }

  /** @returns whether everything up to `end` is allocated */
  function grownTo(end: number): boolean {
    for (;;) {
      const extent = Atomics.load(header, EXTENT_AT);
      if (extent >= end) return true;
      if (isFull) return false;
      // If two processes do this at once, zeros are written twice: what one has stored meanwhile is lost from the cache, and no more.
      const length = Math.min(PIECE.length, bytes - extent * UNIT_BYTES);
      if (zeroed(rowsAt + extent * UNIT_BYTES, length))
        Atomics.compareExchange(header, EXTENT_AT, extent, extent + PIECE_UNITS);
      else {
        isFull = true;
        units = Math.min(units, extent);
        log("warn", "the cache in memory stays below its limit: its file system is full", {
          bytes: extent * UNIT_BYTES,
        });
      }
    }
  }

  function zeroed(at: number, length: number): boolean {
    try {
      // The last piece may be written in part only.
      return writeSync(descriptor, PIECE, 0, length, at) === length;
    } catch {
      return false;
    }
  }

  /** How much was written since. */
  const ageOf = (unit: number) => (Atomics.load(header, HEAD_AT) - unit + units) % units;

  const wordsOf = (key: CacheKey) =>
    [Number.parseInt(key.slice(0, 8), 16) | 0, Number.parseInt(key.slice(8, 16), 16) | 0] as const;

  const firstPlace = (key: CacheKey) =>
    PLACES_TOGETHER * (Number.parseInt(key.slice(16, 24), 16) % (places.length / PLACES_TOGETHER));

  /** The unit at which a row with the key's words may start; -1 if the slot has none. */
  function unitAt(place: number, [one, two]: readonly [number, number]): number {
    const unit = Atomics.load(places, place) - 1;
    if (unit < 0 || unit >= units) return -1;
    const { words } = segmentOf(unit);
    const at = ((unit % SEGMENT_UNITS) * UNIT_BYTES) / 4;
    return words[at + 1] === one && words[at + 2] === two ? unit : -1;
  }

  /** Valid until the next row is read. */
  function rowAt(unit: number): Uint8Array | undefined {
    const segment = segmentOf(unit);
    const at = (unit % SEGMENT_UNITS) * UNIT_BYTES;
    const length = segment.words[at / 4] ?? 0;
    if (length <= 0 || at + ROW_HEAD_BYTES + length > segment.bytes.length) return undefined;
    // Copied before it is checked, because other processes may write meanwhile.
    if (copied.length < length) copied = new Uint8Array(2 * length);
    const copy = copied.subarray(0, length);
    copy.set(segment.bytes.subarray(at + ROW_HEAD_BYTES, at + ROW_HEAD_BYTES + length));
    return copy;
  }

  /** The key's own slot, otherwise a free one, otherwise that of the oldest row. */
  function placeFor(key: CacheKey, words: readonly [number, number]): number {
    const first = firstPlace(key);
    let best = first;
    let bestAge = -1;
    for (let place = first; place < first + PLACES_TOGETHER; place++) {
      if (unitAt(place, words) >= 0) return place;
      const unit = Atomics.load(places, place) - 1;
      const age = unit < 0 ? Number.POSITIVE_INFINITY : ageOf(unit);
      if (age > bestAge) {
        best = place;
        bestAge = age;
      }
    }
    return best;
  }

  function put(key: CacheKey, row: Uint8Array): void {
    const count = Math.ceil((ROW_HEAD_BYTES + row.length) / UNIT_BYTES);
    // A row that takes a large part of the ring would push out many others.
    if (count > Math.min(SEGMENT_UNITS, units / 4)) return;
    const unit = reserve(count);
    if (!grownTo(unit + count)) return;
    const words = wordsOf(key);
    const segment = segmentOf(unit);
    const at = (unit % SEGMENT_UNITS) * UNIT_BYTES;
    segment.words.set([row.length, ...words], at / 4);
    segment.bytes.set(row, at + ROW_HEAD_BYTES);
    Atomics.store(places, placeFor(key, words), unit + 1);
  }

  return {
    find(key) {
      if (units === 0) return undefined;
      const words = wordsOf(key);
      const first = firstPlace(key);
      for (let place = first; place < first + PLACES_TOGETHER; place++) {
        const unit = unitAt(place, words);
        const row = unit < 0 ? undefined : rowAt(unit);
        const entry: CacheEntry | undefined = row && fromRow(key, row);
        if (row === undefined || entry === undefined) continue;
        // A used row is moved to the front before it would be overwritten.
        const isAll = Atomics.load(header, EXTENT_AT) >= units;
        if (isAll && ageOf(unit) > units / 2) put(key, row);
        return entry;
      }
      return undefined;
    },
    keep: (key, entry) => {
      if (units > 0) put(key, toRow(key, entry));
    },
    resize(bytesMax) {
      if (bytesMax > bytes)
        log("warn", "the cache in memory can grow beyond its size at the start only after a restart", {
          bytes,
        });
      units = Math.floor(Math.min(bytesMax, bytes) / UNIT_BYTES);
      isFull = false;
    },
    bytes: () => Math.min(Atomics.load(header, EXTENT_AT), units) * UNIT_BYTES,
    entries: () => places.reduce((count, unit) => count + (unit === 0 ? 0 : 1), 0),
  };
}
