/**
 * A table of 64-bit words in memory that several processes may share: each name has a slot, found by its hash and claimed by the first
 * process that needs it. There is no lock, so a process that is killed at any point leaves nothing behind that others would wait for.
 */

export interface Claims {
  /** The name's slot; undefined if all slots near its hash are taken and none of them may be reused. */
  placeOf(name: string): number | undefined;
  /** The hash that determines a name's slot. */
  hashOf(name: string): bigint;
  /** The values, one per slot: use them only with Atomics. */
  readonly values: BigInt64Array;
  readonly places: number;
}

/** How many slots are searched, starting at the hash. */
const NEAR = 64;

const REMEMBERED_MAX = 10_000;

/** A slot, and the two halves of the hash that it holds while it belongs to the name. */
interface Claim {
  readonly place: number;
  readonly low: number;
  readonly high: number;
}

export const wordsFor = (places: number): number => 2 * places;

export interface Claiming {
  /**
   * For a table whose names callers choose: random bytes, the same for all processes that share the table. Without knowing them nobody can
   * choose names that collide. Left out: the gateway chooses the names.
   */
  readonly seed?: Uint8Array;
  /**
   * Whether another name's value may be dropped for this name if no slot is free. A process that uses the other name at this very
   * moment then changes the new name's value. Left out: no value may be dropped.
   */
  readonly mayGo?: (value: bigint) => boolean;
}

/** @param words made by `wordsFor(places)`: first the hashes, then the values, all zero at the start */
export function openClaims(words: BigInt64Array, { seed, mayGo = () => false }: Claiming = {}): Claims {
  const hashOf = seed === undefined ? openHash : secretHash(seed);
  const places = words.length / 2;
  const hashes = words.subarray(0, places);
  const values = words.subarray(places);

  // Every request checks whether a remembered slot still belongs to the name. In 32-bit halves, since each BigInt is a new object.
  const halves = new Int32Array(words.buffer, words.byteOffset, 2 * places);
  const remembered = new Map<string, Claim>();

  function placeOf(name: string): number | undefined {
    const known = remembered.get(name);
    if (known && halves[2 * known.place] === known.low && halves[2 * known.place + 1] === known.high)
      return known.place;
    const hash = hashOf(name);
    const place = claim(hash);
    if (place === undefined) return undefined;
    if (remembered.size >= REMEMBERED_MAX) remembered.clear();
    const [low = 0, high = 0] = new Int32Array(BigInt64Array.of(hash).buffer);
    remembered.set(name, { place, low, high });
    return place;
  }

  function claim(hash: bigint): number | undefined {
    const start = Number(BigInt.asUintN(32, hash)) % places;
    let dispensable: number | undefined;
    for (let step = 0; step < NEAR; step++) {
      const place = (start + step) % places;
      const found = Atomics.load(hashes, place);
      if (found === hash) return place;
      if (found === 0n) {
        const before = Atomics.compareExchange(hashes, place, 0n, hash);
        if (before === 0n || before === hash) return place;
      } else if (dispensable === undefined && mayGo(Atomics.load(values, place))) dispensable = place;
    }
    if (dispensable === undefined) return undefined;
    const found = Atomics.load(hashes, dispensable);
    const isOurs = Atomics.compareExchange(hashes, dispensable, found, hash) === found;
    return isOurs ? dispensable : undefined;
  }

  return { placeOf, hashOf, values, places };
}

/** Never zero, because zero marks a free slot. */
function openHash(name: string): bigint {
  return BigInt.asIntN(64, Bun.hash.wyhash(name)) || 1n;
}

/** A fast hash with a seed has collisions that do not depend on the seed; this hash has no known collisions. */
function secretHash(seed: Uint8Array): (name: string) => bigint {
  return (name) => {
    const { buffer, byteOffset } = new Bun.CryptoHasher("sha256", seed).update(name).digest();
    return new DataView(buffer, byteOffset).getBigInt64(0, true) || 1n;
  };
}
