/**
 * Test data for the cache: entries that depend on a number, keys like those of key.ts, comparison of entries.
 * A new member of CacheEntry gets a value in `entry` here, so that every test covers it.
 */
import type { CacheEntry, CacheKey } from "../../src/cache/entry";

/** Looks like a key, for tests that do not care about its content. */
export const keyOf = (name: string | number): CacheKey =>
  new Bun.CryptoHasher("sha256").update(String(name)).digest("hex");

/** An entry that differs for each number. */
export function entry(number: number, dimensions = 4): CacheEntry {
  return {
    values: Float32Array.from({ length: dimensions }, (_, i) => Math.fround(number + 1 + i / 7)),
    tokens: number % 1_000,
    tokensSource: (["provider", "header", "counted", "estimated"] as const)[number % 4] ?? "provider",
    truncated: number % 2 === 1,
    averaged: number % 3 === 1,
  };
}

/** Everything in an entry, in a form that `toEqual` compares bit for bit. */
export function written(found: CacheEntry | undefined): unknown {
  if (!found) return undefined;
  const { values, ...rest } = found;
  return { ...rest, bytes: Buffer.from(values.buffer, values.byteOffset, values.byteLength).toString("hex") };
}
