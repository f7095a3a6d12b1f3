/** Units and ranges of time of the sums over minutes, hours and days. What else they need is added here. */

export const UNIT_MS = { minute: 60_000, hour: 3_600_000, day: 86_400_000 } as const;
export type RollupUnit = keyof typeof UNIT_MS;

/** Milliseconds since 1970: from, and before when. */
export type Range = readonly [since: number, until: number];

/** What of a time is not covered by hours or days with these starts. */
export function gaps(
  since: number,
  until: number,
  unitMs: number,
  starts: readonly number[],
): readonly Range[] {
  const found: Range[] = [];
  let from = since;
  for (const at of starts.filter((start) => start >= since && start < until).sort((a, b) => a - b)) {
    if (at > from) found.push([from, at]);
    from = at + unitMs;
  }
  if (from < until) found.push([from, until]);
  return found;
}
