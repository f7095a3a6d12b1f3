/**
 * Sums by day and the values of one metadata key, from the sums that metadata-rollups.ts writes. Requests without that key are what remains of the
 * sums by hour and day. A day of a workspace that is marked is summed from the ledger's rows (metadata-sums.ts).
 */
import type { Store } from "../db/open";
import type { Outside } from "../domain/outside";
import { leading, rankOf } from "./groupings";
import { openMetadataGroups } from "./metadata-groups";
import { isPlainKey, MARK } from "./metadata-rollups";
import type { MetadataSums } from "./metadata-sums";
import { SUMS } from "./rollups";
import type { SeriesAsked } from "./series";
import type { SeriesLine, Tally } from "./series-tally";
import { gaps, UNIT_MS } from "./times";

export interface MetadataDays {
  /** Whether the sums answer this: by day, without a filter by API key, model or provider. */
  has(asked: SeriesAsked): boolean;
  addTo(tally: Tally, asked: SeriesAsked, since: number, until: number): Promise<void>;
}

interface Row {
  readonly status: bigint;
  readonly code: string;
  readonly [sum: string]: bigint | string;
}
type Total = Row & { readonly workspace: string };
type Said = Row & { readonly metadata_key: string; readonly value: string; readonly is_rest: bigint };

type Bounded = Pick<Tally, "addBounded">;

/** About how many requests are read from the ledger in one turn of the event loop. */
const ROWS_IN_A_TURN = 10_000;

export function openMetadataDays(
  { database, read }: Pick<Store, "database" | "read">,
  { turn = () => Promise.resolve() }: Pick<Outside, "turn">,
  fromLedger: MetadataSums,
): MetadataDays {
  const groups = openMetadataGroups({ database, read });
  const totals = database.query<Total, [number, string | null]>(
    `SELECT workspace, status, code, ${SUMS.map((name) => `sum(${name}) AS ${name}`).join(", ")} FROM rollups
     WHERE ((unit_ms = ${UNIT_MS.hour} AND started_at >= ?1 AND started_at < ?1 + ${UNIT_MS.day}) OR (unit_ms = ${UNIT_MS.day} AND started_at = ?1))
       AND (?2 IS NULL OR workspace = ?2)
     GROUP BY workspace, status, code`,
  );
  const said = database.query<Said, [number, string, string]>(
    `SELECT metadata_key, value, is_rest, status, code, ${SUMS.join(", ")} FROM metadata_days
     WHERE started_at = ?1 AND workspace = ?2 AND metadata_key IN (?3, '${MARK}')`,
  );
  const days = database.query<{ readonly at: bigint }, [number, number]>(
    `SELECT DISTINCT started_at - started_at % ${UNIT_MS.day} AS at FROM rollups
     WHERE unit_ms IN (${UNIT_MS.hour}, ${UNIT_MS.day}) AND started_at >= ?1 AND started_at < ?2 ORDER BY at`,
  );

  async function addDay(
    tally: Bounded,
    asked: SeriesAsked,
    day: number,
    workspace: string,
    all: readonly Total[],
  ) {
    const rows = read(() => said.all(day, workspace, asked.metadata_key ?? ""));
    if (rows.some(({ metadata_key }) => metadata_key === MARK)) {
      const requests = all.reduce((sum, row) => sum + Number(row.requests), 0);
      const step = Math.ceil(UNIT_MS.day / Math.max(1, Math.ceil(requests / ROWS_IN_A_TURN)));
      for (let from = day; from < day + UNIT_MS.day; from += step) {
        const until = Math.min(day + UNIT_MS.day, from + step);
        for (const line of fromLedger({ ...asked, workspace }, from, until, UNIT_MS.day))
          tally.addBounded(line, false);
        await turn();
      }
      return;
    }
    const outcomeOf = ({ status, code }: Row) => `${status}\n${code}`;
    const rest = new Map(all.map((row) => [outcomeOf(row), [...sumsOf(row)]]));
    for (const row of rows) {
      const sums = sumsOf(row);
      const left = rest.get(outcomeOf(row)) ?? [];
      for (const [i, amount] of sums.entries()) left[i] = (left[i] ?? 0n) - amount;
      const line = lineOf(day, row, row.value, sums);
      if (isSomething(sums)) tally.addBounded(line, row.is_rest === 1n);
    }
    for (const row of all) {
      const sums = rest.get(outcomeOf(row)) ?? [];
      if (isSomething(sums)) tally.addBounded(lineOf(day, row, "", sums), false);
    }
  }

  async function addDays(tally: Bounded, asked: SeriesAsked, since: number, until: number): Promise<void> {
    for (const { at } of read(() => days.all(since, until))) {
      const day = Number(at);
      const byWorkspace = Map.groupBy(
        read(() => totals.all(day, asked.workspace ?? null)),
        ({ workspace }) => workspace,
      );
      for (const [workspace, all] of byWorkspace) await addDay(tally, asked, day, workspace, all);
      await turn();
    }
  }

  return {
    has: ({ unit, metadata_key: key = "", key_id, model, provider }) =>
      unit === "day" && isPlainKey(key) && (key_id ?? model ?? provider) === undefined,
    async addTo(tally, asked, since, until) {
      const { metadata_key: key = "", workspace, top } = asked;
      // Finished days are grouped for all workspaces together.
      const grouped = workspace === undefined ? groups.daysOf(since, until) : [];
      const lines: (readonly [line: SeriesLine, isRest: boolean])[] = [];
      const collected = { addBounded: (...one: readonly [SeriesLine, boolean]) => void lines.push(one) };
      for (const [from, to] of gaps(since, until, UNIT_MS.day, grouped))
        await addDays(collected, asked, from, to);
      const named = lines.flatMap(([line, isRest]) => (isRest ? [] : [rankOf(line)]));
      const leaders = leading([...groups.ranks(key, grouped), ...named], top);
      const values = new Set([...leaders].flatMap(namesOfJson));
      const add = (line: SeriesLine, isRest: boolean) =>
        tally.addBounded(line, isRest || !values.has(line.names[0] ?? ""));
      for (const one of lines) add(...one);
      for (const changed of groups.addTo(tally, key, grouped, values))
        await addDays({ addBounded: add }, asked, changed, changed + UNIT_MS.day);
    },
  };
}

/** The name in a group's names as JSON. */
export function namesOfJson(names: string): readonly string[] {
  const parsed: unknown = JSON.parse(names);
  return Array.isArray(parsed) ? parsed.map(String) : [];
}

const sumsOf = (row: Row): readonly bigint[] => SUMS.map((name) => BigInt(row[name] ?? 0n));

/** When an interrupted row is settled later, the sum for its earlier outcome stays with zeros. */
const isSomething = (sums: readonly bigint[]) => sums.some((amount) => amount !== 0n);

const lineOf = (at: number, { status, code }: Row, name: string, sums: readonly bigint[]): SeriesLine => ({
  at,
  names: [name],
  status: Number(status),
  code,
  kind: "",
  sums,
  latencies: [],
});
