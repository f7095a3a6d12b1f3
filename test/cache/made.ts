/**
 * What tests of the cache put into it: entries that a number decides, keys as key.ts makes them, what two entries have in common.
 * A new member of CacheEntry is given a value by `entry` here, so that every test carries it through.
 */
import type { CacheEntry, CacheKey } from "../../src/cache/entry";

/** A key's shape, for tests that do not care what is behind it. */
export const keyOf = (name: string | number): CacheKey =>
  new Bun.CryptoHasher("sha256").update(String(name)).digest("hex");

/** An entry that no other number has. */
export function entry(number: number, dimensions = 4): CacheEntry {
  return {
    values: Float32Array.from({ length: dimensions }, (_, i) => Math.fround(number + 1 + i / 7)),
    tokens: number % 1_000,
    tokensSource: (["provider", "header", "counted", "estimated"] as const)[number % 4] ?? "provider",
    truncated: number % 2 === 1,
    averaged: number % 3 === 1,
  };
}

/** Everything that an entry says, in a form that `toEqual` compares bit for bit. */
export function written(found: CacheEntry | undefined): unknown {
  if (!found) return undefined;
  const { values, ...rest } = found;
  return { ...rest, bytes: Buffer.from(values.buffer, values.byteOffset, values.byteLength).toString("hex") };
}
