/**
 * Reads ledger rows before they change in another way than by settling, so that the sums by minute and hour (rollups.ts) can be corrected.
 */
import type { Database } from "bun:sqlite";
import type { TokensSource } from "../domain/request";
import type { Summed } from "./rollups";

export interface RowsBefore {
  /** A row that is settled or interrupted; undefined if it is in flight or does not exist. */
  settled(id: string): { readonly row: Summed; readonly microCredits: bigint } | undefined;
  /** Rows in flight: of the named process or all, of one batch or all. */
  underWay(process: string | null, batch: string | null): readonly Summed[];
}

interface Row {
  readonly started_at: bigint;
  readonly workspace: string;
  readonly key_id: string | null;
  readonly model: string;
  readonly provider: string | null;
  readonly status: bigint;
  readonly error: string | null;
  readonly kind: string | null;
  readonly inputs: bigint;
  readonly cache_hits: bigint;
  readonly tokens: bigint;
  readonly tokens_upstream: bigint;
  readonly tokens_billed: bigint;
  readonly tokens_cached: bigint;
  readonly tokens_source: TokensSource | null;
  readonly latency_ms: bigint;
  readonly cost_pico_usd: bigint;
  readonly upstream_pico_usd: bigint;
  readonly saved_pico_usd: bigint;
  readonly by_provider: string | null;
  readonly micro_credits: bigint;
}

const COLUMNS = `started_at, workspace, key_id, model, provider, status, error, kind, inputs, cache_hits, tokens, tokens_upstream, tokens_billed,
  tokens_cached, tokens_source, latency_ms, cost_pico_usd, upstream_pico_usd, saved_pico_usd, by_provider, micro_credits`;

/** @param isUnderWay a condition; ?1 is the process that began the row, or null for all */
export function openRowsBefore(database: Database, isUnderWay: string): RowsBefore {
  const one = database.query<Row, [string]>(
    `SELECT ${COLUMNS} FROM ledger WHERE request_id = ?1 AND (status <> 0 OR error IS NOT NULL)`,
  );
  const many = database.query<Row, [string | null, string | null]>(
    `SELECT ${COLUMNS} FROM ledger WHERE ${isUnderWay} AND (?2 IS NULL OR batch = ?2)`,
  );
  return {
    settled(id) {
      const row = one.get(id);
      return row ? { row: summed(row), microCredits: row.micro_credits } : undefined;
    },
    underWay: (process, batch) => many.all(process, batch).map(summed),
  };
}

const summed = ({ micro_credits: _, ...row }: Row): Summed => ({
  ...row,
  started_at: Number(row.started_at),
  status: Number(row.status),
  inputs: Number(row.inputs),
  cache_hits: Number(row.cache_hits),
  tokens: Number(row.tokens),
  tokens_upstream: Number(row.tokens_upstream),
  tokens_billed: Number(row.tokens_billed),
  tokens_cached: Number(row.tokens_cached),
  latency_ms: Number(row.latency_ms),
});
