/**
 * Reads the sums of finished hours and days by fewer names from PostgreSQL (src/books/groupings.ts). Everything is read in one snapshot, in which an hour
 * or day counts as grouped if nothing in it has changed since. src/books/grouped-sums.ts is the same for SQLite.
 */

import type { Rank, Times } from "../../books/grouped-sums";
import { GROUP_AMOUNTS, type Reading } from "../../books/groupings";
import { LATENCY_COLUMNS } from "../../books/latency-bounds";
import { SUMS } from "../../books/rollups";
import type { Tally } from "../../books/series-tally";
import { listOf } from "./arrays";
import type { Connection, Parameter } from "./connection";

type Row = Readonly<Record<string, bigint | string | number | boolean | null>>;

const STARTS = `SELECT started_at AS at FROM @grouped AS g
  WHERE part = $1 AND unit_ms = $2 AND started_at >= $3 AND started_at < $4 AND is_told
    AND NOT EXISTS (SELECT 1 FROM @ledger_late AS late WHERE late.started_at >= g.started_at AND late.started_at < g.started_at + g.unit_ms)`;

/** Of the hours and days that are grouped. @param part `names`, or `metadata` */
export async function groupedStarts(
  { query }: Pick<Connection, "query">,
  part: "names" | "metadata",
  unitMs: number,
  [since, until]: readonly [number, number],
): Promise<readonly number[]> {
  const found = await query<{ readonly at: bigint }>(STARTS, [part, unitMs, since, until]);
  return found.map(({ at }) => Number(at));
}

/** $1 the unit, $2 the starts, then the filters. */
const whereOf = ({ grouping, filters }: Reading) =>
  `grouping = '${grouping}' AND unit_ms = $1::bigint AND started_at = ANY($2::text::bigint[])${filters
    .map(({ column }, i) => ` AND ${column} = $${i + 3}::text`)
    .join("")}`;
const valuesOf = ({ filters }: Reading, { unitMs, starts }: Times): Parameter[] => [
  unitMs,
  listOf(starts),
  ...filters.map(({ value }) => value),
];

const namesOf = (row: Row, { names }: Reading): readonly string[] =>
  names.map((_, i) => String(row[`group_${i}`]));
const listed = ({ names }: Reading) => names.map((name, i) => `, ${name} AS group_${i}`).join("");
const grouped = ({ names }: Reading, ...more: readonly string[]) => {
  const by = [...more, ...names].join(", ");
  return by === "" ? "" : `GROUP BY ${by}`;
};

export async function groupedRanks(
  { query }: Connection,
  reading: Reading,
  times: readonly Times[],
): Promise<readonly Rank[]> {
  const ranks: Rank[] = [];
  for (const one of times)
    for (const row of await query<Row>(
      `SELECT coalesce(sum(requests), 0)::bigint AS requests, coalesce(sum(tokens_upstream), 0)::bigint AS upstream${listed(reading)}
       FROM @group_sums WHERE ${whereOf(reading)} ${grouped(reading)}`,
      valuesOf(reading, one),
    ))
      ranks.push({
        names: namesOf(row, reading),
        requests: BigInt(row.requests ?? 0),
        upstream: BigInt(row.upstream ?? 0),
      });
  return ranks;
}

/** @param leading names as JSON; all other groups are added together */
export async function addGrouped(
  { query }: Connection,
  tally: Tally,
  reading: Reading,
  times: readonly Times[],
  leading: ReadonlySet<string>,
): Promise<void> {
  const { names } = reading;
  const key = names.length === 0 ? undefined : `jsonb_build_array(${names.join(", ")})`;
  const sums = GROUP_AMOUNTS.map((name) => `sum(${name})::bigint AS ${name}`).join(", ");
  for (const one of times) {
    const values = valuesOf(reading, one);
    const led = `$${values.push(JSON.stringify([...leading].map((text): unknown => JSON.parse(text))))}`;
    // A condition that names its parameter in every case: PostgreSQL wants to know its type.
    const isLed =
      key === undefined
        ? `${led}::text IS NOT NULL`
        : `${key} IN (SELECT jsonb_array_elements(${led}::text::jsonb))`;
    const where = whereOf(reading);
    for (const row of await query<Row>(
      `SELECT started_at AS at${listed(reading)}, ${reading.isCoarser ? sums : GROUP_AMOUNTS.join(", ")}
       FROM @group_sums WHERE ${where} AND ${isLed} ${reading.isCoarser ? grouped(reading, "started_at") : ""}`,
      values,
    ))
      addRow(tally, row, namesOf(row, reading), false);
    for (const row of await query<Row>(
      `SELECT started_at AS at, ${sums} FROM @group_sums WHERE ${where} AND NOT ${isLed} GROUP BY started_at`,
      values,
    ))
      addRow(tally, row, [], true);
    for (const row of await query<Row>(
      `SELECT ${isLed} AS is_led, status, code, kind, sum(requests)::bigint AS requests${listed(reading)} FROM @group_errors
       WHERE ${where} ${grouped(reading, "status", "code", "kind")}`,
      values,
    ))
      tally.addErrors(
        namesOf(row, reading),
        {
          status: Number(row.status),
          code: String(row.code),
          kind: String(row.kind),
          requests: Number(row.requests),
        },
        row.is_led !== true,
      );
  }
}

function addRow(tally: Tally, row: Row, names: readonly string[], isRest: boolean): void {
  tally.addGroup(
    {
      at: Number(row.at),
      names,
      sums: SUMS.map((name) => BigInt(row[name] ?? 0)),
      failed: BigInt(row.failed ?? 0),
      latencies: LATENCY_COLUMNS.map((name) => Number(row[name])),
    },
    isRest,
  );
}
