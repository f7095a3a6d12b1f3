/**
 * Reads the sums of finished hours and days by fewer names (groupings.ts): which there are, how much each group asked, and the leading groups one by
 * one with all others together. What is changed since is not among them (regrouping.ts).
 */
import type { Store } from "../db/open";
import { GROUP_AMOUNTS, type Reading } from "./groupings";
import { LATENCY_COLUMNS } from "./latency-bounds";
import { SUMS } from "./rollups";
import type { Tally } from "./series-tally";
import { STATE } from "./ungrouping";

/** Hours or days by their starts. */
export interface Times {
  readonly unitMs: number;
  readonly starts: readonly number[];
}

export interface Rank {
  readonly names: readonly string[];
  readonly requests: bigint;
  readonly upstream: bigint;
}

export interface GroupedSums {
  /** The starts of the hours or days that are grouped. */
  startsOf(part: "names" | "metadata", unitMs: number, since: number, until: number): readonly number[];
  ranks(reading: Reading, times: readonly Times[]): readonly Rank[];
  /**
   * @param leading names as JSON; all other groups are added together
   * @returns the times that were not added: their sums have changed
   */
  addTo(
    tally: Tally,
    reading: Reading,
    times: readonly Times[],
    leading: ReadonlySet<string>,
  ): readonly Times[];
}

type Values = [string, number, string, ...string[]];

const FAILED = SUMS.length;
const FIRST_LATENCY = FAILED + 1;

/** Latencies as doubles: half of a row's columns, and their counts need no more. */
const amountsAs = (of: (name: string) => string) =>
  GROUP_AMOUNTS.map((name) => (LATENCY_COLUMNS.includes(name) ? `${of(name)} * 1.0` : of(name))).join(", ");

export function openGroupedSums({ database, read }: Pick<Store, "database" | "read">): GroupedSums {
  const starts = database.query<{ readonly at: bigint }, [string, number, number, number]>(
    `SELECT started_at AS at FROM grouped WHERE part = ?1 AND unit_ms = ?2 AND started_at >= ?3 AND started_at < ?4 AND state = ${STATE.grouped}`,
  );
  const still = database.query<{ readonly at: bigint }, [number, string]>(
    `SELECT started_at AS at FROM grouped WHERE part = 'names' AND unit_ms = ?1 AND started_at IN (SELECT value FROM json_each(?2)) AND state = ${STATE.grouped}`,
  );

  const whereOf = ({ grouping, filters }: Reading) =>
    `grouping = '${grouping}' AND unit_ms = ?2 AND started_at IN (SELECT value FROM json_each(?3))${filters
      .map(({ column }, i) => ` AND ${column} = ?${i + 4}`)
      .join("")}`;
  const valuesOf = (
    { filters }: Reading,
    leading: string,
    unitMs: number,
    all: readonly number[],
  ): Values => [leading, unitMs, JSON.stringify(all), ...filters.map(({ value }) => value)];
  const rows = (text: string, values: Values) => database.query<unknown, Values>(text).values(...values);

  function add(tally: Tally, reading: Reading, { unitMs, starts: all }: Times, leading: string): void {
    const { names } = reading;
    const where = whereOf(reading);
    const values = valuesOf(reading, leading, unitMs, all);
    const isLeading = isLedBy(names);
    const listed = names.map((name) => `${name}, `).join("");
    const led = reading.isCoarser
      ? `SELECT started_at, ${listed}${amountsAs((name) => `sum(${name})`)} FROM group_sums WHERE ${where} AND ${isLeading}
         GROUP BY ${["started_at", ...names].join(", ")}`
      : `SELECT started_at, ${listed}${amountsAs((name) => name)} FROM group_sums WHERE ${where} AND ${isLeading}`;
    for (const row of rows(led, values)) addRow(tally, row, names.length, false);
    const rest = `SELECT started_at, ${amountsAs((name) => `sum(${name})`)} FROM group_sums WHERE ${where} AND NOT ${isLeading} GROUP BY started_at`;
    for (const row of rows(rest, values)) addRow(tally, row, 0, true);
    const errors = `SELECT ${isLeading}, status, code, kind, sum(requests)${names.map((name) => `, ${name}`).join("")} FROM group_errors
      WHERE ${where} GROUP BY ${["status", "code", "kind", ...names].join(", ")}`;
    for (const [isLed, status, code, kind, requests, ...named] of rows(errors, values))
      tally.addErrors(
        named.map(String),
        { status: Number(status), code: String(code), kind: String(kind), requests: Number(requests) },
        isLed !== 1n,
      );
  }

  const addAll = database.transaction(
    (tally: Tally, reading: Reading, times: readonly Times[], leading: ReadonlySet<string>) => {
      const led = JSON.stringify([...leading]);
      return times.map(({ unitMs, starts: asked }) => {
        const now = still.all(unitMs, JSON.stringify(asked)).map(({ at }) => Number(at));
        add(tally, reading, { unitMs, starts: now }, led);
        return { unitMs, starts: asked.filter((at) => !now.includes(at)) };
      });
    },
  );

  return {
    startsOf: (part, unitMs, since, until) =>
      read(() => starts.all(part, unitMs, since, until)).map(({ at }) => Number(at)),
    ranks: (reading, times) =>
      times.flatMap(({ unitMs, starts: all }) =>
        read(() =>
          rows(
            `SELECT sum(requests), sum(tokens_upstream)${reading.names.map((name) => `, ${name}`).join("")}, ?1 FROM group_sums WHERE ${whereOf(reading)}
             ${reading.names.length === 0 ? "" : `GROUP BY ${reading.names.join(", ")}`}`,
            valuesOf(reading, "", unitMs, all),
          ),
        ).map(([requests, upstream, ...named]) => ({
          names: named.slice(0, -1).map(String),
          requests: BigInt(String(requests ?? 0)),
          upstream: BigInt(String(upstream ?? 0)),
        })),
      ),
    addTo: (tally, reading, times, leading) => read(() => addAll.deferred(tally, reading, times, leading)),
  };
}

/** A condition: ?1 has the names of the leading groups, each an array. SQLite reads and writes both sides: it escapes unlike JavaScript. */
function isLedBy(names: readonly string[]): string {
  const [only, ...others] = names;
  if (only === undefined) return "?1 IS NOT NULL";
  const listed = names.map((_, i) => `value ->> '$[${i}]'`).join(", ");
  if (others.length === 0) return `${only} IN (SELECT ${listed} FROM json_each(?1))`;
  return `json_array(${names.join(", ")}) IN (SELECT json_array(${listed}) FROM json_each(?1))`;
}

function addRow(tally: Tally, row: readonly unknown[], names: number, isRest: boolean): void {
  const amount = (i: number) => row[1 + names + i];
  const sums: bigint[] = [];
  for (let i = 0; i < SUMS.length; i++) sums.push(wholeOf(amount(i)));
  const latencies: number[] = [];
  for (let i = 0; i < LATENCY_COLUMNS.length; i++) latencies.push(Number(amount(FIRST_LATENCY + i)));
  const named = row.slice(1, 1 + names).map(String);
  const failed = wholeOf(amount(FAILED));
  tally.addGroup({ at: Number(row[0]), names: named, sums, failed, latencies }, isRest);
}

const wholeOf = (value: unknown): bigint => (typeof value === "bigint" ? value : 0n);
