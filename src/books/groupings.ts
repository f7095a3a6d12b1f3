/**
 * Which sums of finished hours and days are stored once more, by fewer names: without them a month by workspace reads every sum of every key and
 * model. The names are those of the tables `group_sums` and `group_errors`. Another grouping is a line of GROUPINGS, with a `part` of its own in
 * `grouped` (src/books/regrouping.ts, src/stores/postgres/regrouping.ts): what is grouped already, or by the release before, lacks it.
 */
import { LATENCY_COLUMNS } from "./latency-bounds";
import { SUMS } from "./rollups";
import type { SeriesAsked } from "./series";
import type { GroupLine, SeriesLine, Tally } from "./series-tally";
import { UNIT_MS } from "./times";

/** The columns of rollups that each tells apart, two at most. The smaller ones come first. */
export const GROUPINGS = [
  { name: "all", columns: [] },
  { name: "workspace", columns: ["workspace"] },
  { name: "route", columns: ["model", "provider"] },
  { name: "key", columns: ["key_id"] },
] as const;
export type Grouping = (typeof GROUPINGS)[number];

/** In the order of `GroupLine`. Latencies are those of answered requests. */
export const GROUP_AMOUNTS = [...SUMS, "failed", ...LATENCY_COLUMNS] as const;

/** By hour they are kept for as long as pages show hours. */
export const HOURS_KEPT_MS = 8 * UNIT_MS.day;
/**
 * The newest requests of an hour or day are still in flight after its end. Later ones make its sums be made again; but a process of the release before,
 * which ends while this one begins, does not know that.
 */
export const FINISHED_AFTER_MS = 900_000;

const FILTERS = ["workspace", "key_id", "model", "provider"] as const;
type Named = (typeof FILTERS)[number];
const COLUMN_OF: Readonly<Record<string, Named>> = {
  workspace: "workspace",
  key: "key_id",
  model: "model",
  provider: "provider",
};

/** How a grouping's rows answer a query: the columns `name_1` and `name_2`. */
export interface Reading {
  readonly grouping: Grouping["name"];
  /** In the order of `by`. */
  readonly names: readonly string[];
  /** Whether several rows of a time belong to one group. */
  readonly isCoarser: boolean;
  readonly filters: readonly { readonly column: string; readonly value: string }[];
}

/** @returns undefined if only the sums of all names can answer it */
export function readingOf(asked: SeriesAsked): Reading | undefined {
  const by = asked.by.map((group) => COLUMN_OF[group]);
  if (asked.unit === "minute" || by.includes(undefined)) return undefined;
  const filters = FILTERS.filter((column) => asked[column] !== undefined);
  for (const { name, columns } of GROUPINGS) {
    const placed: readonly string[] = columns;
    const placeOf = (column = "") => placed.indexOf(column);
    if ([...by, ...filters].some((column) => placeOf(column) === -1)) continue;
    const stored = (column: string | undefined) => `name_${placeOf(column) + 1}`;
    return {
      grouping: name,
      names: by.map(stored),
      isCoarser: by.length < columns.length,
      filters: filters.map((column) => ({ column: stored(column), value: asked[column] ?? "" })),
    };
  }
  return undefined;
}

/** The columns `name_1` and `name_2` of a row of rollups. */
export const namesIn = ({ columns }: Grouping): string => [columns[0] ?? "''", columns[1] ?? "''"].join(", ");

/** @returns the `top` groups with the most requests, of all sums */
export function leading(
  ranks: Iterable<{
    readonly names: readonly string[];
    readonly requests: bigint;
    readonly upstream: bigint;
  }>,
  top: number,
): ReadonlySet<string> {
  const all = new Map<string, { requests: bigint; upstream: bigint }>();
  for (const { names, requests, upstream } of ranks) {
    const key = JSON.stringify(names);
    const known = all.get(key);
    all.set(key, {
      requests: requests + (known?.requests ?? 0n),
      upstream: upstream + (known?.upstream ?? 0n),
    });
  }
  return new Set(
    [...all]
      .sort(
        ([nameA, a], [nameB, b]) =>
          Number(b.requests - a.requests) || Number(b.upstream - a.upstream) || nameA.localeCompare(nameB),
      )
      .slice(0, top)
      .map(([name]) => name),
  );
}

/** @returns what adds a line of a group to a tally: the leading ones one by one, all others together. @param leaders names as JSON */
export const boundedBy =
  (tally: Pick<Tally, "addBounded">, leaders: ReadonlySet<string>) =>
  (line: SeriesLine): void =>
    tally.addBounded(line, !leaders.has(JSON.stringify(line.names)));

/** The rank of a group from one of its lines. */
export const rankOf = ({ names, sums }: Pick<GroupLine, "names" | "sums">) => ({
  names,
  requests: sums[SUMS.indexOf("requests")] ?? 0n,
  upstream: sums[SUMS.indexOf("tokens_upstream")] ?? 0n,
});
