/**
 * The ledger's rows together with the daily sums that replace trimmed rows (trimming.ts). Statements and usage are summed from both, so that
 * they are the same before and after trimming. `row_count` is how many ledger rows one row stands for, `requests` how many requests.

/** Pico-USD per token; -1 if it is not a whole number, null if nothing was billed. */
const PRICE =
  "iif(tokens_billed > 0, iif(cost_pico_usd % tokens_billed = 0, cost_pico_usd / tokens_billed, -1), NULL)";

/** Whether a row was charged for. */
const CHARGED = "(micro_credits > 0 OR femto_credits_rounded <> 0)";

const SAME = `inputs, cache_hits, tokens, tokens_upstream, tokens_billed, cost_pico_usd, upstream_pico_usd, micro_credits, micro_credits_taken,
    femto_credits_rounded`;

/** A subquery. SQLite pushes conditions on its columns down into both halves of the union. */
export const ALL_ROWS = `(SELECT started_at, workspace, key_id, model, provider, by_provider, status, error, metadata, ${SAME},
    ${PRICE} AS price, ${CHARGED} AS charged, 1 AS row_count, coalesce(refusals, 1) AS requests,
    iif(tokens_source = 'estimated', 1, 0) AS estimated, latency_ms, tokens_cached, saved_pico_usd
  FROM ledger
  UNION ALL
  SELECT first_at, workspace, nullif(key_id, ''), model, nullif(provider, ''), NULL, status, nullif(error, ''), nullif(metadata, ''), ${SAME},
    iif(price = -2, NULL, price), charged, row_count, requests, estimated, 0, 0, 0
  FROM ledger_days)`;

/** How ledger rows are grouped when they are trimmed: the columns of ledger_days that tell them apart. */
export const DAY_OF_ROW = "strftime('%Y-%m-%d', started_at / 1000, 'unixepoch')";
export const KEPT_PRICE = `coalesce(${PRICE}, -2)`;
export const KEPT_CHARGED = CHARGED;
