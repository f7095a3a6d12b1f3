/** The lines of a plot, one for each group of a series; all groups that have no line of their own share the last one, so that the lines add up. */
import type { AdminSeries } from "../../admin/api/series";
import { COLOURS, type Line } from "./plot";

type Group = AdminSeries["groups"][number];

export function linesOf(
  groups: readonly Group[],
  column: string,
  nameOf: (group: Group) => string,
): readonly Line[] {
  const ordered = [...groups.filter((one) => !one.is_rest), ...groups.filter((one) => one.is_rest)];
  const own = groups.length > COLOURS.length ? COLOURS.length - 1 : groups.length;
  const lines = ordered
    .slice(0, own)
    .map((group) => ({ name: nameOf(group), values: group.points[column] ?? [] }));
  const [first, ...others] = ordered.slice(own).map(({ points }) => points[column] ?? []);
  if (first)
    lines.push({
      name: "all others",
      values: first.map((value, i) => others.reduce((sum, values) => sum + (values[i] ?? 0), value ?? 0)),
    });
  return lines.map((line, i) => ({ ...line, colour: COLOURS[i] ?? "--six" }));
}
