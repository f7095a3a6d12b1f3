/**
 * Reads the sums of finished days by the values of a metadata key from PostgreSQL (metadata-regrouping.ts), in the snapshot of the transaction.
 * src/books/metadata-groups.ts is the same for SQLite.
 */
import type { Rank } from "../../books/grouped-sums";
import { DaySum } from "../../books/metadata-groups";
import { SUMS } from "../../books/rollups";
import type { Tally } from "../../books/series-tally";
import { UNIT_MS } from "../../books/times";
import { listOf, textsOf } from "./arrays";
import type { Connection } from "./connection";
import { groupedStarts } from "./grouped-sums";

type Row = Readonly<Record<string, bigint | string | number | null>>;
const sumsIn = (row: Row): bigint[] => SUMS.map((name) => BigInt(row[name] ?? 0));

const EACH_DAY = "started_at = ANY($1::text::bigint[])";
const OF_DAY = `grouping = 'all' AND unit_ms = ${UNIT_MS.day} AND ${EACH_DAY}`;
const TOTALS = `SELECT started_at AS at, failed, ${SUMS.join(", ")} FROM @group_sums WHERE ${OF_DAY}`;
const ERRORS = `SELECT started_at AS at, status, code, sum(requests)::bigint AS requests FROM @group_errors WHERE ${OF_DAY} GROUP BY 1, 2, 3`;
const OF_KEY = `SELECT started_at AS at, status, code, ${SUMS.join(", ")} FROM @metadata_key_sums WHERE ${EACH_DAY} AND metadata_key = $2`;
const OF_VALUES = `SELECT started_at AS at, value, status, code, ${SUMS.join(", ")} FROM @metadata_value_sums
  WHERE ${EACH_DAY} AND metadata_key = $2 AND value = ANY($3::text::text[])`;
const LEADING = `SELECT value, sum(requests)::bigint AS requests, sum(tokens_upstream)::bigint AS upstream FROM @metadata_leading
  WHERE ${EACH_DAY} AND metadata_key = $2 GROUP BY value`;

/** The starts of the days that are grouped. */
export async function metadataDays(
  connection: Connection,
  range: readonly [number, number],
): Promise<readonly number[]> {
  const names = new Set(await groupedStarts(connection, "names", UNIT_MS.day, range));
  return (await groupedStarts(connection, "metadata", UNIT_MS.day, range)).filter((day) => names.has(day));
}

/** Values that a day names for the ranking, and the requests without the key. */
export async function metadataRanks(
  { query }: Connection,
  key: string,
  days: readonly number[],
): Promise<readonly Rank[]> {
  const without = new DaySum();
  for (const row of await query<Row>(TOTALS, [listOf(days)])) without.add(200, "", sumsIn(row));
  for (const row of await query<Row>(OF_KEY, [listOf(days), key])) without.add(200, "", sumsIn(row), -1n);
  const found = await query<{ readonly value: string; readonly requests: bigint; readonly upstream: bigint }>(
    LEADING,
    [listOf(days), key],
  );
  return [
    {
      names: [""],
      requests: without.sums[0] ?? 0n,
      upstream: without.sums[SUMS.indexOf("tokens_upstream")] ?? 0n,
    },
    ...found.map(({ value, ...rank }) => ({ names: [value], ...rank })),
  ];
}

/** @param leading values that are added one by one */
export async function addMetadata(
  { query }: Connection,
  tally: Tally,
  key: string,
  days: readonly number[],
  leading: ReadonlySet<string>,
): Promise<void> {
  const without = new Map(days.map((day) => [day, new DaySum()]));
  const others = new Map(days.map((day) => [day, new DaySum()]));
  for (const row of await query<Row>(TOTALS, [listOf(days)])) {
    const sum = without.get(Number(row.at));
    sum?.add(200, "", sumsIn(row));
    if (sum) sum.failed += BigInt(row.failed ?? 0);
  }
  for (const { at, status, code, requests } of await query<Row>(ERRORS, [listOf(days)]))
    without.get(Number(at))?.addError(Number(status), String(code), Number(requests));
  for (const row of await query<Row>(OF_KEY, [listOf(days), key])) {
    without.get(Number(row.at))?.add(Number(row.status), String(row.code), sumsIn(row), -1n);
    others.get(Number(row.at))?.add(Number(row.status), String(row.code), sumsIn(row));
  }
  for (const row of await query<Row>(OF_VALUES, [listOf(days), key, textsOf([...leading])])) {
    const sums = sumsIn(row);
    others.get(Number(row.at))?.add(Number(row.status), String(row.code), sums, -1n);
    const one = new DaySum();
    one.add(Number(row.status), String(row.code), sums);
    one.tell(tally, Number(row.at), [String(row.value)], false);
  }
  for (const [day, sum] of without) sum.tell(tally, day, [""], !leading.has(""));
  for (const [day, sum] of others) sum.tell(tally, day, [], true);
}
