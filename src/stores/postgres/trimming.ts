/**
 * Deletes what `keep` says from PostgreSQL, as src/books/trimming.ts does in SQLite: one machine at a time, in bites of one statement each, and
 * only requests that are part of the sums by hour (sums.ts). Totals (all-rows.ts) stay the same.
 */
import { LATENCY_COLUMNS } from "../../books/latency-bounds";
import { DIMENSIONS, SUMS } from "../../books/rollups";
import { UNIT_MS } from "../../books/times";
import { DAY_SUMS, type Keep, type Trimming } from "../../books/trimming";
import { DAY_OF_ROW, KEPT_CHARGED, KEPT_PRICE } from "./all-rows";
import type { Base } from "./base";
import { timeOf } from "./clock";
import type { Connection } from "./connection";
import { SILENT_SECONDS } from "./instance";
import { ownSums } from "./sums";

const BITE_ROWS = 1_000;

/** Nothing is trimmed while a gateway of a release before `keep` runs: its invoices would lack the trimmed requests. */
const MAY = `
  SELECT ${timeOf("$1")} AS now_ms FROM @sums
  WHERE NOT EXISTS (SELECT 1 FROM @instances WHERE NOT trims AND beat_at >= now() - interval '${SILENT_SECONDS} seconds')
  FOR UPDATE SKIP LOCKED`;

/** Where several providers counted tokens for a row, all other amounts go to the first. */
const OF_EACH: Readonly<Record<string, string>> = {
  tokens_upstream: "of_tokens",
  upstream_pico_usd: "of_pico_usd",
};
const OF_FIRST: Readonly<Record<string, string>> = {
  row_count: "1",
  requests: "coalesce(refusals, 1)",
  estimated: "CASE WHEN tokens_source = 'estimated' THEN 1 ELSE 0 END",
};
const amounts = DAY_SUMS.map(
  (name) => `sum(${OF_EACH[name] ?? `CASE WHEN is_first THEN ${OF_FIRST[name] ?? name} ELSE 0 END`})`,
);
const added = (table: string, names: readonly string[]) =>
  names.map((name) => `${name} = ${table}.${name} + excluded.${name}`).join(", ");

/** $1: rows before this time. */
const TRIM_REQUESTS = `
  WITH gone AS (
    DELETE FROM @ledger WHERE request_id IN (
      SELECT request_id FROM @ledger WHERE started_at < least($1, (SELECT summed_to FROM @sums)) AND (status <> 0 OR error IS NOT NULL) ORDER BY started_at LIMIT ${BITE_ROWS})
    RETURNING *),
  apart AS (
    SELECT gone.*, coalesce(share.place, 1) = 1 AS is_first,
      CASE WHEN by_provider IS NULL THEN provider ELSE share.value ->> 0 END AS of_provider,
      CASE WHEN by_provider IS NULL THEN tokens_upstream ELSE (share.value ->> 1)::bigint END AS of_tokens,
      CASE WHEN by_provider IS NULL THEN upstream_pico_usd ELSE (share.value ->> 2)::bigint END AS of_pico_usd,
      (SELECT count(*) FROM @credit_grants AS given WHERE given.workspace = gone.workspace AND given.granted_at <= gone.started_at) AS grants
    FROM gone LEFT JOIN LATERAL jsonb_array_elements(by_provider::jsonb) WITH ORDINALITY AS share(value, place) ON true),
  kept AS (
    INSERT INTO @ledger_days (day, workspace, key_id, model, provider, status, error, metadata, grants, price, charged, first_at, ${DAY_SUMS.join(", ")})
    SELECT ${DAY_OF_ROW} AS day, workspace, coalesce(key_id, ''), model, coalesce(of_provider, ''), status, coalesce(error, ''),
      coalesce(metadata, ''), grants, ${KEPT_PRICE}, ${KEPT_CHARGED}, min(started_at), ${amounts.join(", ")}
    FROM apart GROUP BY 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11
    ON CONFLICT (day, hash) DO UPDATE SET first_at = least(ledger_days.first_at, excluded.first_at), ${added("ledger_days", DAY_SUMS)})
  UPDATE @sums SET trimmed_to = greatest(trimmed_to, $1) RETURNING (SELECT count(*) FROM gone) AS rows`;

const ROLLED = [...SUMS, ...LATENCY_COLUMNS];
/** $1 the unit, $2 the time before which its sums go. */
const GONE = `gone AS (
    DELETE FROM @rollups WHERE (unit_ms, started_at, hash) IN (
      SELECT unit_ms, started_at, hash FROM @rollups WHERE unit_ms = $1 AND started_at < $2 ORDER BY started_at LIMIT ${BITE_ROWS})
    RETURNING *)`;
const TRIM_MINUTES = `WITH ${GONE} SELECT count(*) AS rows FROM gone`;
const TRIM_HOURS = `
  WITH ${GONE},
  days AS (
    INSERT INTO @rollups (unit_ms, started_at, ${[...DIMENSIONS, ...ROLLED].join(", ")})
    SELECT ${UNIT_MS.day}, started_at - started_at % ${UNIT_MS.day} AS day, ${DIMENSIONS.join(", ")}, ${ROLLED.map((name) => `sum(${name})`).join(", ")}
    FROM gone GROUP BY day, ${DIMENSIONS.join(", ")}
    ON CONFLICT (unit_ms, started_at, hash) DO UPDATE SET ${added("rollups", ROLLED)})
  SELECT count(*) AS rows FROM gone`;

export function openPostgresTrimming({ pool, clock }: Base, keep: () => Keep): Trimming {
  async function bite(connection: Connection): Promise<boolean> {
    const { query } = connection;
    const [may] = await query<{ readonly now_ms: bigint }>(MAY, [clock.at()]);
    if (may === undefined) return false;
    const { requestsDays, minutesDays, hoursDays } = keep();
    /** The start of the first day that is kept. */
    const keptFrom = (days: number) => {
      const from = may.now_ms - BigInt(days * UNIT_MS.day);
      return from - (from % BigInt(UNIT_MS.day));
    };
    const trim = async (sql: string, ...values: bigint[]) => {
      const [gone] = await query<{ readonly rows: bigint }>(sql, values);
      return (gone?.rows ?? 0n) > 0n;
    };
    if (requestsDays !== undefined) {
      await ownSums(connection);
      if (await trim(TRIM_REQUESTS, keptFrom(requestsDays))) return true;
    }
    return (
      (await trim(TRIM_MINUTES, BigInt(UNIT_MS.minute), keptFrom(minutesDays))) ||
      (await trim(TRIM_HOURS, BigInt(UNIT_MS.hour), keptFrom(hoursDays)))
    );
  }
  return { bite: () => pool.transact(bite) };
}
