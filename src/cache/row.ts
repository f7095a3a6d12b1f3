/**
 * One entry as the bytes of a row on disk, and back. Bytes that differ from what was written are not an entry.
 * Little-endian: checksum (8) · tokens (8, float64) · source (1) · flags (1) · dimensions (4) · numbers (4 each). A change raises ROW_FORMAT.
 */
import type { TokensSource } from "../domain/request";
import type { CacheEntry, CacheKey } from "./entry";

/** Part of the file's version (disk-file.ts). */
export const ROW_FORMAT = 1;

const SOURCES: readonly TokensSource[] = ["provider", "header", "counted", "estimated"];
const TRUNCATED = 1;
const AVERAGED = 2;
const TOKENS_AT = 8;
const SOURCE_AT = 16;
const FLAGS_AT = 17;
const DIMENSIONS_AT = 18;
const NUMBERS_AT = 22;

export function toRow(key: CacheKey, entry: CacheEntry): Uint8Array {
  const { values, tokens, tokensSource, truncated, averaged } = entry;
  const row = new Uint8Array(NUMBERS_AT + values.byteLength);
  const view = new DataView(row.buffer);
  view.setFloat64(TOKENS_AT, tokens, true);
  view.setUint8(SOURCE_AT, SOURCES.indexOf(tokensSource));
  view.setUint8(FLAGS_AT, (truncated ? TRUNCATED : 0) | (averaged ? AVERAGED : 0));
  view.setUint32(DIMENSIONS_AT, values.length, true);
  row.set(new Uint8Array(values.buffer, values.byteOffset, values.byteLength), NUMBERS_AT);
  view.setBigUint64(0, checksumOf(key, row), true);
  return row;
}

/** undefined for a row that is damaged or belongs to another key. */
export function fromRow(key: CacheKey, row: unknown): CacheEntry | undefined {
  if (!(row instanceof Uint8Array) || row.byteLength <= NUMBERS_AT) return undefined;
  const view = new DataView(row.buffer, row.byteOffset, row.byteLength);
  const dimensions = view.getUint32(DIMENSIONS_AT, true);
  if (row.byteLength !== NUMBERS_AT + 4 * dimensions) return undefined;
  if (view.getBigUint64(0, true) !== checksumOf(key, row)) return undefined;
  const tokensSource = SOURCES[view.getUint8(SOURCE_AT)];
  if (tokensSource === undefined) return undefined;
  const values = new Float32Array(dimensions);
  new Uint8Array(values.buffer).set(row.subarray(NUMBERS_AT));
  const flags = view.getUint8(FLAGS_AT);
  return {
    values,
    tokens: view.getFloat64(TOKENS_AT, true),
    tokensSource,
    truncated: (flags & TRUNCATED) !== 0,
    averaged: (flags & AVERAGED) !== 0,
  };
}

/** Over everything except itself, and over the key: a row that was moved under another key counts as damaged too. */
function checksumOf(key: CacheKey, row: Uint8Array): bigint {
  return Bun.hash.xxHash64(row.subarray(TOKENS_AT), Bun.hash.xxHash64(key));
}
