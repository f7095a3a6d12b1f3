/**
 * Keeps the sums of finished hours and days by fewer names (src/books/groupings.ts) in PostgreSQL, and the lines of finished days for invoices: one
 * machine at a time, the newest first, a whole hour or day in one transaction. What changes later is grouped again (migrations-groups.ts).
 */
import { GROUP_AMOUNTS, GROUPINGS, type Grouping, HOURS_KEPT_MS, namesIn } from "../../books/groupings";
import { LATENCY_COLUMNS } from "../../books/latency-bounds";
import type { Regrouping } from "../../books/regrouping";
import { SUMS } from "../../books/rollups";
import { UNIT_MS } from "../../books/times";
import { textsOf } from "./arrays";
import { keepCharges } from "./charge-days";
import type { Connection } from "./connection";
import { dayLines } from "./invoice-days";
import { dropMetadata, groupMetadata } from "./metadata-regrouping";
import type { Pool } from "./pool";

/** A day of many millions of requests takes seconds. */
const STATEMENT_MS_MAX = 60_000;

/** Whoever changes sums has this lock (sums.ts, trimming.ts). Nothing is grouped while `database move` copies rows with their sums. */
const LOCK = `SELECT summed_to FROM @sums WHERE NOT EXISTS (SELECT 1 FROM @moves WHERE finished_at IS NULL) FOR UPDATE SKIP LOCKED`;

const amounts = [
  ...SUMS.map((name) => `sum(${name})::bigint`),
  "coalesce(sum(requests) FILTER (WHERE status <> 200), 0)::bigint",
  ...LATENCY_COLUMNS.map((name) => `coalesce(sum(${name}) FILTER (WHERE status = 200), 0)::bigint`),
].join(", ");

/** $1 the unit, $2 the start. */
const OF_TIME = `@rollups WHERE (unit_ms = ${UNIT_MS.hour} AND started_at >= $2::bigint AND started_at < $2::bigint + $1::bigint)
  OR (unit_ms = ${UNIT_MS.day} AND $1::bigint = ${UNIT_MS.day} AND started_at = $2::bigint)`;

const adding = (grouping: Grouping): readonly string[] => [
  `INSERT INTO @group_sums (grouping, unit_ms, started_at, name_1, name_2, ${GROUP_AMOUNTS.join(", ")})
   SELECT '${grouping.name}', $1::bigint, $2::bigint, ${namesIn(grouping)}, ${amounts} FROM ${OF_TIME} GROUP BY 4, 5`,
  `INSERT INTO @group_errors (grouping, unit_ms, started_at, name_1, name_2, status, code, kind, requests)
   SELECT '${grouping.name}', $1::bigint, $2::bigint, ${namesIn(grouping)}, status, code, kind, sum(requests)::bigint
   FROM (SELECT * FROM ${OF_TIME}) AS found WHERE status <> 200 AND requests <> 0 GROUP BY 4, 5, 6, 7, 8`,
];
const ADD = GROUPINGS.flatMap(adding);

const latest = (unitMs: number, before: string) =>
  `(SELECT max(started_at) FROM @rollups WHERE unit_ms = ${unitMs} AND started_at < ${before})`;
/** The hours and days with sums, the newest first and about as far back as $2, without reading all of their sums. $1: before when. */
const HOURS = `WITH RECURSIVE times(at) AS (
    SELECT ${latest(UNIT_MS.hour, "$1::bigint")}
    UNION ALL SELECT ${latest(UNIT_MS.hour, "times.at")} FROM times WHERE times.at > $2::bigint)`;
const DAYS = `WITH RECURSIVE times(at) AS (
    SELECT $1::bigint
    UNION ALL SELECT greatest(div(${latest(UNIT_MS.hour, "times.at")}, ${UNIT_MS.day})::bigint * ${UNIT_MS.day}, ${latest(UNIT_MS.day, "times.at")})
    FROM times WHERE times.at > $2::bigint)`;

/** A day with changes that are not summed yet waits for them. */
const missing = (times: string, part: string, unitMs: number) => `${times}
  SELECT at FROM times WHERE at >= $2::bigint AND at < $1::bigint
    AND NOT EXISTS (SELECT 1 FROM @grouped WHERE part = '${part}' AND unit_ms = ${unitMs} AND started_at = at)
    AND NOT EXISTS (SELECT 1 FROM @ledger_late WHERE started_at >= at AND started_at < at + ${unitMs}) LIMIT 1`;
const MISSING_HOUR = missing(HOURS, "names", UNIT_MS.hour);
const MISSING_DAY = missing(DAYS, "names", UNIT_MS.day);
const MISSING_METADATA = missing(DAYS, "metadata", UNIT_MS.day);

const MISSING_INVOICES = missing(DAYS, "invoices", UNIT_MS.day);
const WORKSPACES = `SELECT name_1 AS name FROM @group_sums WHERE grouping = 'workspace' AND unit_ms = ${UNIT_MS.day} AND started_at = $1 ORDER BY 1`;

const DROP = ["@group_sums", "@group_errors"].map(
  (table) =>
    `DELETE FROM ${table} WHERE grouping = ANY($3::text::text[]) AND unit_ms = $1::bigint AND started_at = $2::bigint`,
);
const EVERY_GROUPING = textsOf(GROUPINGS.map(({ name }) => name));
const DROP_OLD = [
  ...["@group_sums", "@group_errors"].map(
    (table) =>
      `DELETE FROM ${table} WHERE grouping = ANY($2::text::text[]) AND unit_ms = ${UNIT_MS.hour} AND started_at < $1::bigint`,
  ),
  `DELETE FROM @grouped WHERE unit_ms = ${UNIT_MS.hour} AND started_at < $1::bigint AND $2::text IS NOT NULL`,
];
const DONE = `INSERT INTO @grouped (part, unit_ms, started_at, is_told) VALUES ($1, $2, $3, $4::boolean) ON CONFLICT DO NOTHING`;

export function openPostgresRegrouping(pool: Pool): Regrouping {
  async function names(connection: Connection, unitMs: number, at: bigint): Promise<void> {
    const { query } = connection;
    for (const text of DROP) await query(text, [unitMs, at, EVERY_GROUPING]);
    for (const text of ADD) await query(text, [unitMs, at]);
    if (unitMs === UNIT_MS.day) await keepCharges(connection, at);
    await query(DONE, ["names", unitMs, at, true]);
  }

  async function ofMetadata(connection: Connection, at: bigint): Promise<void> {
    await dropMetadata(connection, at);
    const isTold = await groupMetadata(connection, at);
    await connection.query(DONE, ["metadata", UNIT_MS.day, at, isTold]);
  }

  /** Each workspace's lines are kept with the sums that they had (invoice-days.ts), so others may change these meanwhile. */
  async function invoices(day: bigint): Promise<void> {
    const at = Number(day);
    const workspaces = await pool.run(({ query }) => query<{ readonly name: string }>(WORKSPACES, [day]));
    for (const { name } of workspaces)
      await pool.run((connection) =>
        connection.longTransaction(STATEMENT_MS_MAX, () =>
          dayLines(connection, name, at, at + UNIT_MS.day, true),
        ),
      );
    await pool.run(({ query }) => query(DONE, ["invoices", UNIT_MS.day, day, true]));
  }

  /** @returns whether there was anything to do, or a day whose invoices are to be summed */
  async function bite(connection: Connection): Promise<boolean | bigint> {
    const { query } = connection;
    const [state] = await query<{ readonly summed_to: bigint }>(LOCK);
    if (state === undefined) return false;
    // PgBouncer does not pass on the connection's own setting (connection.ts).
    await query("SET LOCAL jit = off");
    const endOf = (unitMs: number) => state.summed_to - (state.summed_to % BigInt(unitMs));
    const from = endOf(UNIT_MS.day) - BigInt(HOURS_KEPT_MS);
    const first = async (text: string, unitMs: number, since: bigint) =>
      (await query<{ readonly at: bigint }>(text, [endOf(unitMs), since]))[0]?.at;
    const hour = await first(MISSING_HOUR, UNIT_MS.hour, from);
    if (hour !== undefined) {
      await names(connection, UNIT_MS.hour, hour);
      return true;
    }
    const day = await first(MISSING_DAY, UNIT_MS.day, 0n);
    if (day !== undefined) {
      await names(connection, UNIT_MS.day, day);
      return true;
    }
    const said = await first(MISSING_METADATA, UNIT_MS.day, 0n);
    if (said !== undefined) {
      await ofMetadata(connection, said);
      return true;
    }
    for (const text of DROP_OLD) await query(text, [from, EVERY_GROUPING]);
    return (await first(MISSING_INVOICES, UNIT_MS.day, 0n)) ?? false;
  }

  return {
    async bite() {
      const found = await pool.run((connection) =>
        connection.longTransaction(STATEMENT_MS_MAX, () => bite(connection)),
      );
      if (typeof found === "boolean") return found;
      await invoices(found);
      return true;
    },
  };
}
