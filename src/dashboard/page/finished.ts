/** A series without the current, incomplete minute or hour: on a chart it would look like a drop. */
import type { AdminSeries } from "../../admin/api/series";

const SECONDS: Readonly<Record<AdminSeries["unit"], number>> = { minute: 60, hour: 3_600, day: 86_400 };

/** @param now milliseconds since 1970 */
export function finished(series: AdminSeries, now: number): AdminSeries {
  const last = series.times.at(-1);
  if (last === undefined || series.unit === "day" || (last + SECONDS[series.unit]) * 1_000 <= now)
    return series;
  return {
    ...series,
    times: series.times.slice(0, -1),
    groups: series.groups.map((group) => ({
      ...group,
      points: Object.fromEntries(
        Object.entries(group.points).map(([column, values]) => [column, values.slice(0, -1)]),
      ),
    })),
  };
}
