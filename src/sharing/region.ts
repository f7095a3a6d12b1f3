/**
 * Memory that all processes of a gateway share: a file without a name that each of them maps. It is freed with the last process.
 * A new part is a row of PARTS; a changed part raises LAYOUT, so that processes of two versions never read it differently.
 */
import { COUNT_WORDS } from "../admin/counts";
import { LIMIT_WORDS } from "../callers/rate-limits";
import type { Outside } from "../domain/outside";
import { createNamelessFile, type NamelessFile } from "../machine/nameless-file";

const LAYOUT = 3n;

/** 64-bit words of each. */
const PARTS = {
  layout: 512,
  /** A random hash seed for caller-chosen names, so that collisions cannot be forced. */
  seed: 4,
  /** Rate limits: one bucket per workspace and kind (src/callers/rate-limits.ts). */
  limits: LIMIT_WORDS,
  /** The counts of /metrics (src/admin/counts.ts). */
  counts: COUNT_WORDS,
} as const;

type Part = keyof typeof PARTS;

export type Region = Readonly<Record<Part, BigInt64Array>>;

/** The descriptors by which a process inherits the file and the cache's memory (src/cache/ring.ts). */
export const REGION_DESCRIPTOR = 3;
export const RING_DESCRIPTOR = 4;

const WORD_BYTES = BigInt64Array.BYTES_PER_ELEMENT;
const ALL_WORDS = Object.values(PARTS).reduce((sum, words) => sum + words, 0);

/** @throws Error if no folder accepts the file */
export function createRegionFile(name: string, { randomBytes }: Pick<Outside, "randomBytes">): NamelessFile {
  // Written, not only extended: touching a page without memory behind it would kill the process (SIGBUS).
  const words = new BigInt64Array(ALL_WORDS);
  const { layout, seed } = partsOf(words);
  layout[0] = LAYOUT;
  bytesOf(seed).set(randomBytes(seed.byteLength));
  return createNamelessFile(name, words.byteLength, new Uint8Array(words.buffer));
}

/** @returns undefined if another version created it, whose layout differs */
export function mapRegion(): Region | undefined {
  const bytes = Bun.mmap(`/proc/self/fd/${REGION_DESCRIPTOR}`, { shared: true });
  if (bytes.byteLength < ALL_WORDS * WORD_BYTES) return undefined;
  const region = partsOf(new BigInt64Array(bytes.buffer, bytes.byteOffset, ALL_WORDS));
  return Atomics.load(region.layout, 0) === LAYOUT ? region : undefined;
}

function partsOf(words: BigInt64Array): Region {
  let from = 0;
  const next = (part: Part) => {
    from += PARTS[part];
    return words.subarray(from - PARTS[part], from);
  };
  return { layout: next("layout"), seed: next("seed"), limits: next("limits"), counts: next("counts") };
}

export function bytesOf({ buffer, byteOffset, byteLength }: BigInt64Array): Uint8Array {
  return new Uint8Array(buffer, byteOffset, byteLength);
}
