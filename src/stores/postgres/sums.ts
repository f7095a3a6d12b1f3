/**
 * Sums by minute and hour in PostgreSQL. Requests do not write them, as all machines would wait for the one row of a busy minute. Instead one
 * machine at a time sums rows up afterwards, in small bites, and notes how far it came (`summed_to`). Readers take the sums up to there and
 * the ledger's rows from there on in one statement, so the result is exact, whoever wrote the rows.
 *
 * When a row that is older than a minute changes, a trigger writes its old and new values to `ledger_late` in the same transaction (a trigger,
 * so that gateways of the previous release do it, too). So always: sums + ledger_late before `summed_to` = the ledger before `summed_to`.
 * A younger row may still be changed by an open transaction: rows are summed two minutes later, once those transactions have ended.
 */
import { LATENCY_BOUNDS_MS, LATENCY_COLUMNS } from "../../books/latency-bounds";
import { OWN_WORKSPACE } from "../../books/ledger";
import { DIMENSIONS, SUMS } from "../../books/rollups";
import { UNIT_MS } from "../../books/times";
import type { Connection } from "./connection";
import type { Pool } from "./pool";

/** The ledger's columns that are summed. */
const COUNTED = `started_at, workspace, key_id, model, provider, status, error, kind, refusals, inputs, cache_hits, tokens, tokens_upstream,
  tokens_billed, tokens_cached, tokens_source, latency_ms, cost_pico_usd, micro_credits, upstream_pico_usd, saved_pico_usd, by_provider`;
const IS_OVER = "(status <> 0 OR error IS NOT NULL)";

const isFirst = "coalesce(share.place, 1) = 1";
const first = (amount: string, name: string) =>
  `CASE WHEN ${isFirst} THEN sign * ${amount} ELSE 0 END AS ${name}`;
const asked = (amount: string) => `CASE WHEN asked > 0 THEN ${amount} ELSE 0 END`;
const shared = (column: string, place: number) =>
  `sign * CASE WHEN by_provider IS NULL THEN ${column} ELSE (share.value ->> ${place})::bigint END AS ${column}`;
const latencies = LATENCY_COLUMNS.map((name, i) => {
  const [over, upTo] = [LATENCY_BOUNDS_MS[i - 1] ?? -1, LATENCY_BOUNDS_MS[i]];
  const until = upTo === undefined ? "" : ` AND latency_ms <= ${upTo}`;
  return `CASE WHEN ${isFirst} AND latency_ms > ${over}${until} THEN sign * asked ELSE 0 END AS ${name}`;
}).join(", ");

/** Splits a row by the providers that counted tokens for it; all other amounts go to the first. @param from a query of COUNTED and `sign` */
const apartIn = (from: string) => `
  SELECT started_at, workspace, coalesce(key_id, '') AS key_id, model,
    coalesce(CASE WHEN by_provider IS NULL THEN provider ELSE share.value ->> 0 END, '') AS provider, status, coalesce(error, '') AS code,
    coalesce(kind, '') AS kind, ${first("asked", "requests")}, ${first(asked("inputs"), "inputs")}, ${first("cache_hits", "cache_hits")},
    ${first("tokens", "tokens")}, ${shared("tokens_upstream", 1)}, ${first("tokens_billed", "tokens_billed")},
    ${first("tokens_cached", "tokens_cached")}, ${first(asked("CASE WHEN tokens_source = 'estimated' THEN 1 ELSE 0 END"), "estimated")},
    ${first("cost_pico_usd", "cost_pico_usd")}, ${first("micro_credits", "micro_credits")}, ${shared("upstream_pico_usd", 2)},
    ${first("saved_pico_usd", "saved_pico_usd")}, ${latencies}
  FROM (SELECT *, CASE WHEN workspace <> '${OWN_WORKSPACE}' THEN coalesce(refusals, 1) ELSE 0 END AS asked FROM (${from}) AS rows) AS counted
    LEFT JOIN LATERAL jsonb_array_elements(by_provider::jsonb) WITH ORDINALITY AS share(value, place) ON true`;

const AMOUNTS = [...SUMS, ...LATENCY_COLUMNS];
const COLUMNS = `started_at, ${DIMENSIONS.join(", ")}, ${AMOUNTS.join(", ")}`;
const SUMMED_TO = "(SELECT summed_to FROM @sums)";

/** The part of `sumsOver` that is stored: without requests that are not summed yet. */
export const storedSums = (units: readonly number[], since: string, until: string) =>
  `(SELECT ${COLUMNS} FROM @rollups WHERE unit_ms IN (${units.join(", ")}) AND started_at >= ${since} AND started_at < ${until})`;

/**
 * A subquery: the sums of all requests of a period, with their dimensions and the time at which each begins.
 * @param units in milliseconds: the rollups that hold the period
 * @param since,until SQL parameters: from `since`, before `until`
 */
export const sumsOver = (units: readonly number[], since: string, until: string) => `(
  ${storedSums(units, since, until)}
  UNION ALL
  SELECT ${COLUMNS} FROM (${apartIn(`
    SELECT 1 AS sign, ${COUNTED} FROM @ledger WHERE started_at >= greatest(${since}::bigint, ${SUMMED_TO}) AND started_at < ${until} AND ${IS_OVER}
    UNION ALL
    SELECT sign, ${COUNTED} FROM @ledger_late WHERE started_at >= ${since} AND started_at < least(${until}::bigint, ${SUMMED_TO})`)}) AS apart)`;

/** $1 `summed_to`, $2 its next value, $3 how many late changes at most. Late changes between the two are dropped: their rows are summed now. */
const SUM = `
  WITH late AS (
    DELETE FROM @ledger_late WHERE (started_at >= $1 AND started_at < $2)
      OR id IN (SELECT id FROM @ledger_late WHERE started_at < $1 ORDER BY id LIMIT $3) RETURNING *),
  summed AS (
    INSERT INTO @rollups (unit_ms, ${COLUMNS})
    SELECT unit.ms, started_at - started_at % unit.ms, ${DIMENSIONS.join(", ")}, ${AMOUNTS.map((name) => `sum(${name})`).join(", ")}
    FROM (${apartIn(`
      SELECT 1 AS sign, ${COUNTED} FROM @ledger WHERE started_at >= $1 AND started_at < $2 AND ${IS_OVER}
      UNION ALL
      SELECT sign, ${COUNTED} FROM late WHERE started_at < $1`)}) AS apart
      CROSS JOIN (VALUES (${UNIT_MS.minute}::bigint), (${UNIT_MS.hour})) AS unit(ms)
    GROUP BY 1, 2, ${DIMENSIONS.join(", ")}
    ON CONFLICT (unit_ms, started_at, hash) DO UPDATE SET ${AMOUNTS.map((name) => `${name} = rollups.${name} + excluded.${name}`).join(", ")})
  UPDATE @sums SET summed_to = $2, next_to = CASE WHEN next_to > $2 THEN next_to END RETURNING (SELECT count(*) FROM late) AS late`;

/** For a transaction that changes rows together with their sums: the trigger notes nothing (migrations-sums.ts). */
export const ownSums = ({ query }: Connection) => query("SELECT set_config('embedgate.sums', 'own', true)");

/** Rows of a bite, which take some tens of milliseconds. */
const BITE_ROWS = 5_000;
/** Rows are summed this long after they began. Changes of rows older than a minute are noted (migrations-sums.ts). */
const BEHIND_MS = 120_000;

/** No row where another machine is summing, or while `database move` copies rows with their sums. */
const STATE = `
  SELECT summed_to, next_to, next_after <= pg_snapshot_xmin(pg_current_snapshot()) AS is_over,
    next_after > pg_snapshot_xmax(pg_current_snapshot()) AS is_of_another_server,
    (extract(epoch FROM statement_timestamp()) * 1000)::bigint - ${BEHIND_MS} AS may_to
  FROM @sums WHERE NOT EXISTS (SELECT 1 FROM @moves WHERE finished_at IS NULL) FOR UPDATE SKIP LOCKED`;

interface State {
  readonly summed_to: bigint;
  readonly next_to: bigint | null;
  readonly is_over: boolean | null;
  /** The database was restored into another server, which numbers its transactions from the start. */
  readonly is_of_another_server: boolean | null;
  readonly may_to: bigint;
}

/**
 * Transactions that changed rows before $1 without a note began to write before this one, so their ids are lower. A snapshot's xmax would not
 * do: it only lies after the last transaction that has ended.
 */
const NEXT = "UPDATE @sums SET next_to = $1, next_after = pg_current_xact_id()";
const BITE_END = `SELECT started_at FROM @ledger WHERE started_at >= $1 AND started_at < $2 ORDER BY started_at OFFSET ${BITE_ROWS} LIMIT 1`;

/**
 * For a database clock that went back by more than BEHIND_MS: new rows would begin before `summed_to` without a note. Whole hours are summed
 * again, as far as their rows are not trimmed and they are not part of a day's sum.
 */
const AGAIN = `
  WITH upto AS (
    SELECT greatest($1::bigint - $1::bigint % ${UNIT_MS.hour}, div(trimmed_to + ${UNIT_MS.hour - 1}, ${UNIT_MS.hour})::bigint * ${UNIT_MS.hour},
      (SELECT coalesce(max(started_at) + ${UNIT_MS.day}, 0) FROM @rollups WHERE unit_ms = ${UNIT_MS.day})) AS at FROM @sums),
  gone AS (DELETE FROM @rollups WHERE unit_ms < ${UNIT_MS.day} AND started_at >= (SELECT at FROM upto))
  UPDATE @sums SET summed_to = (SELECT at FROM upto), next_to = NULL WHERE summed_to > (SELECT at FROM upto)`;

/**
 * Sums up one bite of rows.
 * @returns whether there may be more to sum now
 * @throws GatewayError ledger_unavailable
 */
export const sumBite = (pool: Pool): Promise<boolean> => pool.transact(bite);

async function bite({ query }: Connection): Promise<boolean> {
  const [state] = await query<State>(STATE);
  if (state === undefined) return false;
  const { summed_to, next_to, may_to } = state;
  if (summed_to > may_to) {
    await query(AGAIN, [may_to]);
    return false;
  }
  if (next_to === null || state.is_of_another_server) {
    if (may_to > summed_to) await query(NEXT, [may_to]);
    return may_to > summed_to;
  }
  if (!state.is_over) return false;
  const [end] = await query<{ readonly started_at: bigint }>(BITE_END, [summed_to, next_to]);
  // All rows of one millisecond are summed together.
  const upTo = end === undefined ? next_to : end.started_at > summed_to ? end.started_at : summed_to + 1n;
  const [{ late } = { late: 0n }] = await query<{ readonly late: bigint }>(SUM, [summed_to, upTo, BITE_ROWS]);
  return upTo < next_to || late >= BigInt(BITE_ROWS);
}
