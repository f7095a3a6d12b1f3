/** A series without the current, incomplete minute or hour, which on a chart would look like a drop; unless there is nothing else. */
import type { AdminSeries } from "../../admin/api/series";

const SECONDS: Readonly<Record<AdminSeries["unit"], number>> = { minute: 60, hour: 3_600, day: 86_400 };

/** How many of its points are over. @param now milliseconds since 1970 */
export function finishedPoints({ times, unit, groups }: AdminSeries, now: number): number {
  const last = times.at(-1);
  const isUnderWay = last !== undefined && unit !== "day" && (last + SECONDS[unit]) * 1_000 > now;
  const hasEarlier = groups.some(({ points }) =>
    Object.values(points).some((values) => values.slice(0, -1).some((value) => value)),
  );
  return times.length - (isUnderWay && hasEarlier ? 1 : 0);
}

/** @param now milliseconds since 1970 */
export function finished(series: AdminSeries, now: number): AdminSeries {
  const count = finishedPoints(series, now);
  return {
    ...series,
    times: series.times.slice(0, count),
    groups: series.groups.map((group) => ({
      ...group,
      points: Object.fromEntries(
        Object.entries(group.points).map(([column, values]) => [column, values.slice(0, count)]),
      ),
    })),
  };
}
