/**
 * The ledger's rows in PostgreSQL together with the day sums of trimmed rows (trimming.ts); src/books/all-rows.ts is the same for SQLite.
 * Statements and usage are summed from this, so trimming does not change them.
 */

/** Pico-USD per token; -1 where it is not a whole number, null where nothing was billed. */
const PRICE = `CASE WHEN tokens_billed > 0 THEN
    CASE WHEN cost_pico_usd % tokens_billed = 0 THEN cost_pico_usd / tokens_billed ELSE -1 END END`;

/** Whether a row counts as charged. */
const CHARGED = "(micro_credits > 0 OR femto_credits_rounded <> 0)";

const SAME = `inputs, cache_hits, tokens, tokens_upstream, tokens_billed, cost_pico_usd, upstream_pico_usd, micro_credits, micro_credits_taken,
    femto_credits_rounded`;

/** A subquery. PostgreSQL applies conditions on its columns within both halves. */
export const ALL_ROWS = `(SELECT started_at, workspace, key_id, model, provider, by_provider, status, error, metadata, ${SAME},
    ${PRICE} AS price, ${CHARGED} AS charged, 1::bigint AS row_count, coalesce(refusals, 1) AS requests,
    CASE WHEN tokens_source = 'estimated' THEN 1 ELSE 0 END::bigint AS estimated, tokens_cached, saved_pico_usd
  FROM @ledger
  UNION ALL
  SELECT first_at, workspace, nullif(key_id, ''), model, nullif(provider, ''), NULL, status, nullif(error, ''), nullif(metadata, ''), ${SAME},
    nullif(price, -2), charged, row_count, requests, estimated, 0, 0
  FROM @ledger_days)`;

export const DAY_OF_ROW = "to_char(to_timestamp(started_at / 1000.0) AT TIME ZONE 'UTC', 'YYYY-MM-DD')";
/** How a ledger row becomes one of `ledger_days` when it is trimmed: its values of the columns that are part of that table's key. */
export const KEPT_PRICE = `coalesce(${PRICE}, -2)`;
export const KEPT_CHARGED = CHARGED;
