/**
 * The small latency histogram that each sum of requests keeps, and the quantiles read from it. The bounds are part of the database
 * schema: other bounds need other columns.
 */

/** The upper bound of each bucket in milliseconds; one more bucket takes everything slower. */
export const LATENCY_BOUNDS_MS = [
  1, 2, 3, 5, 7, 10, 15, 20, 30, 50, 70, 100, 150, 200, 300, 500, 700, 1_000, 1_500, 2_000, 3_000, 5_000,
  7_000, 10_000, 15_000, 20_000, 30_000, 60_000,
] as const;

export const LATENCY_COLUMNS = [...LATENCY_BOUNDS_MS.map((bound) => `up_to_${bound}_ms`), "slower"];

/** The bucket of a latency. */
export function bucketOf(latencyMs: number): number {
  const found = LATENCY_BOUNDS_MS.findIndex((bound) => latencyMs <= bound);
  return found === -1 ? LATENCY_BOUNDS_MS.length : found;
}

/**
 * The latency that a share `part` of the requests did not exceed, interpolated as if the requests of a bucket were spread evenly.
 * @param buckets in the order of LATENCY_COLUMNS
 * @returns milliseconds; null if there were no requests
 */
export function quantile(buckets: readonly number[], part: number): number | null {
  // Plain loops: a chart of many groups has thousands of points.
  let count = 0;
  for (let i = 0; i < buckets.length; i++) count += buckets[i] ?? 0;
  if (count === 0) return null;
  const wanted = part * count;
  let before = 0;
  for (let i = 0; i < buckets.length; i++) {
    const inBucket = buckets[i] ?? 0;
    if (inBucket > 0 && before + inBucket >= wanted) {
      const from = LATENCY_BOUNDS_MS[i - 1] ?? 0;
      const to = LATENCY_BOUNDS_MS[i] ?? from;
      return Math.round((from + ((to - from) * (wanted - before)) / inBucket) * 10) / 10;
    }
    before += inBucket;
  }
  return LATENCY_BOUNDS_MS.at(-1) ?? null;
}
