/**
 * Named counts in memory that several processes may share: all of them see every addition, and no count is lost when a process dies.
 * What is counted, and how it is written for Prometheus, is in metrics.ts.
 */
import { openClaims, wordsFor } from "../machine/claims";

/** A name whose slot is looked up once. */
export class Counter {
  place: number | undefined;
  constructor(readonly name: string) {}
}

export interface Counts {
  /** Counts nothing for a new name if all slots are taken. */
  add(name: string, by: number): void;
  /** Like `add`, for what every request counts. */
  addTo(counter: Counter, by: number): void;
  set(name: string, value: number): void;
  all(): ReadonlyMap<string, number>;
}

/** A model takes some thirty slots, so there is room for hundreds of models. */
const PLACES = 8_192;
/** A name with its length before it. */
const NAME_BYTES = 256;
const LENGTH_BYTES = 4;
const WORD_BYTES = BigInt64Array.BYTES_PER_ELEMENT;

export const COUNT_WORDS = wordsFor(PLACES) + (PLACES * NAME_BYTES) / WORD_BYTES;

/** @param words shared memory of COUNT_WORDS zeros; left out: the counts are this process's own */
export const openCounts = (words?: BigInt64Array): Counts =>
  words === undefined ? ownCounts() : sharedCounts(words);

/** Without shared words: two megabytes of them would count as heap, and the garbage collector would let twice as much garbage stand. */
function ownCounts(): Counts {
  const places = new Map<string, number>();
  const values: number[] = [];
  const placeNamed = (name: string) => places.getOrInsertComputed(name, () => values.push(0) - 1);
  const addAt = (place: number, by: number) => {
    values[place] = (values[place] ?? 0) + by;
  };
  return {
    add: (name, by) => addAt(placeNamed(name), by),
    addTo(counter, by) {
      counter.place ??= placeNamed(counter.name);
      addAt(counter.place, by);
    },
    set(name, value) {
      values[placeNamed(name)] = value;
    },
    all: () => new Map(places.entries().map(([name, place]) => [name, values[place] ?? 0])),
  };
}

/** Most increments are small, and each new BigInt is an object. */
const SMALL: readonly bigint[] = Array.from({ length: 1_024 }, (_, number) => BigInt(number));

function sharedCounts(words: BigInt64Array): Counts {
  // No seed is needed, as names come from the routing file and from us.
  const { placeOf, values } = openClaims(words.subarray(0, wordsFor(PLACES)));
  const names = words.subarray(wordsFor(PLACES));
  const lengths = new Int32Array(names.buffer, names.byteOffset, (PLACES * NAME_BYTES) / LENGTH_BYTES);
  const bytes = new Uint8Array(names.buffer, names.byteOffset, PLACES * NAME_BYTES);
  const lengthAt = (place: number) => (place * NAME_BYTES) / LENGTH_BYTES;

  function placeNamed(name: string): number | undefined {
    const place = placeOf(name);
    // The process that claimed it may have been killed before it wrote the name: all would write the same.
    if (place !== undefined && Atomics.load(lengths, lengthAt(place)) === 0) write(place, name);
    return place;
  }

  function write(place: number, name: string): void {
    const start = place * NAME_BYTES + LENGTH_BYTES;
    const { written } = new TextEncoder().encodeInto(
      name,
      bytes.subarray(start, start + NAME_BYTES - LENGTH_BYTES),
    );
    Atomics.store(lengths, lengthAt(place), written);
  }

  function addAt(place: number | undefined, by: number): void {
    if (place !== undefined && by !== 0) Atomics.add(values, place, SMALL[by] ?? BigInt(by));
  }

  return {
    add: (name, by) => addAt(placeNamed(name), by),
    addTo(counter, by) {
      counter.place ??= placeNamed(counter.name);
      addAt(counter.place, by);
    },
    set(name, value) {
      const place = placeNamed(name);
      if (place !== undefined) Atomics.store(values, place, BigInt(value));
    },
    all() {
      const found = new Map<string, number>();
      for (let place = 0; place < PLACES; place++) {
        const length = Atomics.load(lengths, lengthAt(place));
        if (length === 0) continue;
        const start = place * NAME_BYTES + LENGTH_BYTES;
        const name = new TextDecoder().decode(Uint8Array.from(bytes.subarray(start, start + length)));
        found.set(name, (found.get(name) ?? 0) + Number(Atomics.load(values, place)));
      }
      return found;
    },
  };
}
