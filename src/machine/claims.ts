/**
 * A table of 64-bit words in memory that several processes may share: each name has a place, found by its hash and claimed by the first
 * to come. No lock, so that a process that is killed at any point leaves nothing behind that others would wait for.
 */

export interface Claims {
  /** The name's place; undefined where the table has no room near its hash and nothing there may go. */
  placeOf(name: string): number | undefined;
  /** By what its place is found. */
  hashOf(name: string): bigint;
  /** The words themselves, one a place: only ever touched by Atomics. */
  readonly values: BigInt64Array;
  readonly places: number;
}

/** Places looked at from the hash on. */
const NEAR = 64;

const REMEMBERED_MAX = 10_000;

/** A place, and the halves of the hash that it has for as long as it is the name's. */
interface Claim {
  readonly place: number;
  readonly low: number;
  readonly high: number;
}

export const wordsFor = (places: number): number => 2 * places;

export interface Claiming {
  /**
   * Of a table whose names callers choose: random bytes, the same for all that share the words. Without knowing them nobody can
   * choose names that collide. Left out: names are the gateway's own.
   */
  readonly seed?: Uint8Array;
  /**
   * Whether the value of another name may be forgotten for this one, where there is no place left. A process that uses that one at this very
   * moment changes the new one's instead. Left out: none may.
   */
  readonly mayGo?: (value: bigint) => boolean;
}

/** @param words of `wordsFor(places)`: the hashes first, then the values, all zero at first */
export function openClaims(words: BigInt64Array, { seed, mayGo = () => false }: Claiming = {}): Claims {
  const hashOf = seed === undefined ? openHash : secretHash(seed);
  const places = words.length / 2;
  const hashes = words.subarray(0, places);
  const values = words.subarray(places);

  // Whether a remembered place is still the name's is asked for every request: in halves, since a BigInt is an object each time.
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

/** Never zero, which is a place that is free. */
function openHash(name: string): bigint {
  return BigInt.asIntN(64, Bun.hash.wyhash(name)) || 1n;
}

/** A fast hash with a seed has collisions that are the same whatever the seed; this one has none that anybody knows. */
function secretHash(seed: Uint8Array): (name: string) => bigint {
  return (name) => {
    const { buffer, byteOffset } = new Bun.CryptoHasher("sha256", seed).update(name).digest();
    return new DataView(buffer, byteOffset).getBigInt64(0, true) || 1n;
  };
}
