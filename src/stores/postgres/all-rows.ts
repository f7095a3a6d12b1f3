/**
 * The ledger's rows in PostgreSQL together with what is kept of those that were trimmed (trimming.ts), as src/books/all-rows.ts has them in SQLite:
 * what statements and usage are summed from, so that they say the same before and after.
 */

/** Pico-USD a token; -1 where it is no whole number, null where nothing was billed. */
const PRICE = `CASE WHEN tokens_billed > 0 THEN
    CASE WHEN cost_pico_usd % tokens_billed = 0 THEN cost_pico_usd / tokens_billed ELSE -1 END END`;

/** Whether a row counts as one that was charged for. */
const CHARGED = "(micro_credits > 0 OR femto_credits_rounded <> 0)";

const SAME = `inputs, cache_hits, tokens, tokens_upstream, tokens_billed, cost_pico_usd, upstream_pico_usd, micro_credits, micro_credits_taken,
    femto_credits_rounded`;

/** A subquery. PostgreSQL pushes conditions on its columns down into both of its halves. */
export const ALL_ROWS = `(SELECT started_at, workspace, key_id, model, provider, by_provider, status, error, metadata, ${SAME},
    ${PRICE} AS price, ${CHARGED} AS charged, 1::bigint AS row_count, coalesce(refusals, 1) AS requests,
    CASE WHEN tokens_source = 'estimated' THEN 1 ELSE 0 END::bigint AS estimated, tokens_cached, saved_pico_usd
  FROM @ledger
  UNION ALL
  SELECT first_at, workspace, nullif(key_id, ''), model, nullif(provider, ''), NULL, status, nullif(error, ''), nullif(metadata, ''), ${SAME},
    nullif(price, -2), charged, row_count, requests, estimated, 0, 0
  FROM @ledger_days)`;

export const DAY_OF_ROW = "to_char(to_timestamp(started_at / 1000.0) AT TIME ZONE 'UTC', 'YYYY-MM-DD')";
/** Of rows of the ledger as they are kept once they are trimmed: the columns of ledger_days that tell them apart. */
export const KEPT_PRICE = `coalesce(${PRICE}, -2)`;
export const KEPT_CHARGED = CHARGED;
