/**
 * The cache as the request steps see it: memory, then disk, and what is being fetched now. Only checked vectors are stored.
 * A new place to store vectors is read in `find` after the faster ones, and written in `keep`.
 */
import { CacheSection } from "../config/schema";
import type { Outside } from "../domain/outside";
import { type Disk, openDisk } from "./disk";
import { type CacheEntry, type CacheKey, copyOf, refuseUnsound } from "./entry";
import { type Flights, openFlights } from "./flights";
import { type Memory, openMemory } from "./memory";
import type { SharedVectors } from "./shared-vectors";

export interface CacheStats {
  /** Keys found and not found since the start. */
  readonly hits: number;
  readonly misses: number;
  readonly memoryBytes: number;
  readonly memoryEntries: number;
  readonly diskBytes: number;
  /** False if the disk cache is not configured, or was turned off by a failure. */
  readonly diskOn: boolean;
}

/** The parts that a request needs. */
export type Recallable = Pick<Cache, "find" | "keep" | "flights" | "shared">;

export interface Cache {
  /** For each key its entry, or undefined; nothing at all if there is no cache. The caller may change an entry's numbers. Never fails. */
  find(keys: readonly CacheKey[]): readonly (CacheEntry | undefined)[];
  /** Stores copies, all or none. @throws GatewayError internal for a vector that is empty, zero or not finite, or an invalid token count */
  keep(entries: ReadonlyMap<CacheKey, CacheEntry>): void;
  /** Works with `cache: false` too: equal inputs in flight are fetched once, whether or not the result is cached. */
  readonly flights: Flights;
  /** The cache of other machines, asked for what is not found here. undefined: there are no others. `keep` informs it. */
  readonly shared: Omit<SharedVectors, "keep" | "close"> | undefined;
  /** Without a cache: calls in flight are shared anyway. */
  readonly uncached: Recallable;
  /** Applies the sizes of a new configuration, and keeps what still fits. */
  apply(config: CacheSection | false): void;
  stats(): CacheStats;
  /** Writes what is queued for the disk. No request may be in flight. */
  close(): Promise<void>;
}

/** Where the disk cache may be, and the outside world. */
export interface CachePlace {
  /** The disk cache's own file; undefined if there is no folder for it (a database in memory). */
  readonly path: string | undefined;
  readonly outside: Pick<Outside, "sleep" | "now" | "monotonic" | "random" | "log">;
  /** Memory shared with other processes; left out: this process's own. */
  readonly memory?: Memory;
  /** Closed with the cache. */
  readonly shared?: SharedVectors;
}

/** As for file sizes in the routing file: 64 MB are 64 × 2²⁰ bytes. */
const MEGABYTE = 2 ** 20;

const NOTHING: readonly undefined[] = [];
const nothing = () => NOTHING;

export function openCache(
  config: CacheSection | false,
  { path, outside, memory = openMemory(0), shared }: CachePlace,
): Cache {
  const flights = openFlights();
  let disk: Disk | undefined;
  let diskBytesMax = 0;
  let on = false;
  let hits = 0;
  let misses = 0;
  const retiring = new Set<Promise<void>>();

  function apply(section: CacheSection | false): void {
    on = section !== false;
    const { memory_mb, disk_mb } = CacheSection.properties;
    const sizes = section === false ? { memory_mb: 0, disk_mb: 0 } : section;
    memory.resize((sizes.memory_mb ?? memory_mb.default) * MEGABYTE);
    const bytesMax = (sizes.disk_mb ?? disk_mb.default) * MEGABYTE;
    if (bytesMax === diskBytesMax) return;
    diskBytesMax = bytesMax;
    // The file allows several connections: the next one does not have to wait until the last one has written its queue.
    if (disk) retire(disk);
    disk = bytesMax > 0 ? openDiskAt(bytesMax) : undefined;
  }

  function retire(closing: Disk): void {
    const closed = closing.close().finally(() => retiring.delete(closed));
    retiring.add(closed);
  }

  function openDiskAt(bytesMax: number): Disk | undefined {
    if (path !== undefined) return openDisk(path, bytesMax, outside);
    outside.log("warn", "the disk cache is off", { reason: "the database is in memory" });
    return undefined;
  }

  /** Stores another machine's vectors here too. They count as a hit, although the first lookup missed. */
  async function nearer(
    asked: Promise<ReadonlyMap<CacheKey, CacheEntry>>,
  ): Promise<ReadonlyMap<CacheKey, CacheEntry>> {
    const entries = await asked;
    for (const [key, entry] of entries) memory.keep(key, entry);
    hits += entries.size;
    misses -= entries.size;
    return entries;
  }

  apply(config);
  return {
    flights,
    shared: shared && {
      find: (keys, signal) => nearer(shared.find(keys, signal)),
      arrivals: (keys, signal) => nearer(shared.arrivals(keys, signal)),
      claim: shared.claim,
      release: shared.release,
    },
    uncached: {
      flights,
      shared: undefined,
      find: nothing,
      keep: () => undefined,
    },
    apply,
    find(keys) {
      if (!on) return nothing();
      const found = keys.map((key) => memory.find(key));
      if (disk) {
        disk.use(keys.filter((_, place) => found[place] !== undefined));
        const onDisk = disk.find(keys.filter((_, place) => found[place] === undefined));
        for (const [place, key] of keys.entries()) {
          const entry = onDisk.get(key);
          if (entry === undefined || found[place] !== undefined) continue;
          memory.keep(key, entry);
          // A key that is asked for twice is answered twice.
          found[place] = copyOf(entry);
        }
      }
      let hitsNow = 0;
      for (const entry of found) if (entry !== undefined) hitsNow += 1;
      misses += keys.length - hitsNow;
      hits += hitsNow;
      return found;
    },
    keep(entries) {
      for (const entry of entries.values()) refuseUnsound(entry);
      for (const [key, entry] of entries) {
        memory.keep(key, entry);
        disk?.keep(key, entry);
      }
      shared?.keep(entries);
    },
    stats() {
      const { bytes, on: diskOn } = disk?.state() ?? { bytes: 0, on: false };
      return {
        hits,
        misses,
        memoryBytes: memory.bytes(),
        memoryEntries: memory.entries(),
        diskBytes: bytes,
        diskOn,
      };
    },
    async close() {
      await Promise.all([...retiring, disk?.close(), shared?.close()]);
    },
  };
}
