/**
 * The small histogram that each sum of requests keeps of how long they took, and what is read from it. Bounds are part of the database's
 * shape: other bounds are other columns.
 */

/** The most milliseconds of each bucket; one more takes what is slower. */
export const LATENCY_BOUNDS_MS = [
  1, 2, 3, 5, 7, 10, 15, 20, 30, 50, 70, 100, 150, 200, 300, 500, 700, 1_000, 1_500, 2_000, 3_000, 5_000,
  7_000, 10_000, 15_000, 20_000, 30_000, 60_000,
] as const;

export const LATENCY_COLUMNS = [...LATENCY_BOUNDS_MS.map((bound) => `up_to_${bound}_ms`), "slower"];

/** Which bucket a time falls into. */
export function bucketOf(latencyMs: number): number {
  const found = LATENCY_BOUNDS_MS.findIndex((bound) => latencyMs <= bound);
  return found === -1 ? LATENCY_BOUNDS_MS.length : found;
}

/**
 * The time that so great a part of the requests took at most: within the bucket that it falls into as if they were spread evenly.
 * @param buckets in the order of LATENCY_COLUMNS
 * @returns milliseconds; null where there was no request
 */
export function quantile(buckets: readonly number[], part: number): number | null {
  const count = buckets.reduce((sum, one) => sum + one, 0);
  if (count === 0) return null;
  const wanted = part * count;
  let before = 0;
  for (const [i, inBucket] of buckets.entries()) {
    if (inBucket > 0 && before + inBucket >= wanted) {
      const from = LATENCY_BOUNDS_MS[i - 1] ?? 0;
      const to = LATENCY_BOUNDS_MS[i] ?? from;
      return Math.round((from + ((to - from) * (wanted - before)) / inBucket) * 10) / 10;
    }
    before += inBucket;
  }
  return LATENCY_BOUNDS_MS.at(-1) ?? null;
}
