/**
 * The migrations after those of batches, for more sums of the ledger. Only append, as with all migrations (migrations.ts).
 */

const SUMS = `requests, inputs, cache_hits, tokens, tokens_upstream, tokens_billed, tokens_cached, estimated, cost_pico_usd, micro_credits,
    upstream_pico_usd, saved_pico_usd`;
const SUMMED = SUMS.split(",")
  .map((name) => `sum(${name.trim()})`)
  .join(", ");
const TOGETHER = SUMS.split(",")
  .map((name) => `${name.trim()} = metadata_days.${name.trim()} + excluded.${name.trim()}`)
  .join(", ");

export const SUMS_MIGRATIONS: readonly string[] = [
  `
  -- Of requests that were charged for: how many, and what was taken from the balance.
  ALTER TABLE rollups ADD COLUMN charged INTEGER NOT NULL DEFAULT 0;
  ALTER TABLE rollups ADD COLUMN micro_credits_taken INTEGER NOT NULL DEFAULT 0;
  UPDATE rollups SET charged = sums.charged, micro_credits_taken = sums.taken
  FROM (
    SELECT started_at - started_at % 3600000 AS hour, workspace, coalesce(key_id, '') AS of_key, model,
      coalesce(iif(by_provider IS NULL, provider, by_provider ->> '$[0][0]'), '') AS first_provider, status, coalesce(error, '') AS of_code,
      coalesce(kind, '') AS of_kind, count(*) AS charged, sum(micro_credits_taken) AS taken
    FROM ledger WHERE micro_credits > 0 OR femto_credits_rounded <> 0
    GROUP BY 1, 2, 3, 4, 5, 6, 7, 8) AS sums
  WHERE unit_ms = 3600000 AND started_at = hour AND rollups.workspace = sums.workspace AND key_id = of_key AND rollups.model = sums.model
    AND provider = first_provider AND rollups.status = sums.status AND code = of_code AND kind = of_kind;
  `,
  `
  -- Sums by day (UTC), workspace and each key of requests' metadata with its value; all values that are not told apart are one row, with is_rest.
  -- A row with the key '' marks a day of a workspace whose metadata is read from the ledger: there was too much of it.
  CREATE TABLE metadata_days (
    started_at         INTEGER NOT NULL,
    workspace          TEXT NOT NULL,
    metadata_key       TEXT NOT NULL,
    is_rest            INTEGER NOT NULL CHECK (is_rest IN (0, 1)),
    value              TEXT NOT NULL,
    status             INTEGER NOT NULL,
    code               TEXT NOT NULL,
    requests           INTEGER NOT NULL,
    inputs             INTEGER NOT NULL,
    cache_hits         INTEGER NOT NULL,
    tokens             INTEGER NOT NULL,
    tokens_upstream    INTEGER NOT NULL,
    tokens_billed      INTEGER NOT NULL,
    tokens_cached      INTEGER NOT NULL,
    estimated          INTEGER NOT NULL,
    cost_pico_usd      INTEGER NOT NULL,
    micro_credits      INTEGER NOT NULL,
    upstream_pico_usd  INTEGER NOT NULL,
    saved_pico_usd     INTEGER NOT NULL,
    PRIMARY KEY (started_at, workspace, metadata_key, is_rest, value, status, code)
  ) STRICT, WITHOUT ROWID;

  -- Of the rows that there are already, and of those that were trimmed.
  INSERT INTO metadata_days (started_at, workspace, metadata_key, is_rest, value, status, code, ${SUMS})
  WITH every AS (
    SELECT started_at, workspace, metadata, status, coalesce(error, '') AS code, iif(workspace <> 'embedgate', coalesce(refusals, 1), 0) AS asked,
      inputs, cache_hits, tokens, tokens_upstream, tokens_billed, tokens_cached, iif(tokens_source IS 'estimated', 1, 0) AS estimated,
      cost_pico_usd, micro_credits, upstream_pico_usd, saved_pico_usd
    FROM ledger WHERE metadata IS NOT NULL AND length(metadata) <= 8192 AND (status <> 0 OR error IS NOT NULL)
    UNION ALL
    SELECT first_at, workspace, metadata, status, error, iif(workspace <> 'embedgate', requests, 0), inputs, cache_hits, tokens, tokens_upstream,
      tokens_billed, 0, estimated, cost_pico_usd, micro_credits, upstream_pico_usd, 0
    FROM ledger_days WHERE metadata <> '' AND length(metadata) <= 8192),
  pairs AS (
    SELECT every.*, pair.key AS metadata_key, iif(pair.type = 'text', pair.value, every.metadata -> pair.fullkey) AS name
    FROM every, json_each(every.metadata) AS pair
    WHERE pair.type <> 'null' AND pair.value <> '' AND typeof(pair.key) = 'text' AND pair.key <> '' AND instr(pair.key, '.') = 0
      AND instr(pair.key, '[') = 0 AND instr(pair.key, ']') = 0 AND instr(pair.key, '"') = 0 AND instr(pair.key, char(92)) = 0
      AND instr(pair.key, char(0)) = 0)
  SELECT started_at - started_at % 86400000, workspace, metadata_key, length(name) > 200, iif(length(name) > 200, '', name), status, code,
    sum(asked), sum(iif(asked > 0, inputs, 0)), sum(cache_hits), sum(tokens), sum(tokens_upstream), sum(tokens_billed), sum(tokens_cached),
    sum(iif(asked > 0, estimated, 0)), sum(cost_pico_usd), sum(micro_credits), sum(upstream_pico_usd), sum(saved_pico_usd)
  FROM pairs GROUP BY 1, 2, 3, 4, 5, 6, 7;

  CREATE TEMP TABLE beyond AS
    SELECT started_at, workspace, metadata_key, value FROM (
      SELECT *, dense_rank() OVER (PARTITION BY started_at, workspace, metadata_key ORDER BY value) AS place
      FROM metadata_days WHERE is_rest = 0)
    WHERE place > 200 GROUP BY 1, 2, 3, 4;
  INSERT INTO metadata_days (started_at, workspace, metadata_key, is_rest, value, status, code, ${SUMS})
    SELECT started_at, workspace, metadata_key, 1, '', status, code, ${SUMMED}
    FROM beyond JOIN metadata_days USING (started_at, workspace, metadata_key, value) WHERE is_rest = 0 GROUP BY 1, 2, 3, 6, 7
    ON CONFLICT (started_at, workspace, metadata_key, is_rest, value, status, code) DO UPDATE SET ${TOGETHER};
  DELETE FROM metadata_days WHERE is_rest = 0
    AND (started_at, workspace, metadata_key, value) IN (SELECT started_at, workspace, metadata_key, value FROM beyond);
  DROP TABLE beyond;

  CREATE TEMP TABLE marks AS
    SELECT started_at, workspace FROM metadata_days GROUP BY 1, 2 HAVING count(DISTINCT metadata_key) > 64
    UNION SELECT started_at - started_at % 86400000, workspace FROM ledger
      WHERE length(metadata) > 8192 AND (status <> 0 OR error IS NOT NULL)
    UNION SELECT first_at - first_at % 86400000, workspace FROM ledger_days WHERE length(metadata) > 8192;
  DELETE FROM metadata_days WHERE (started_at, workspace) IN (SELECT started_at, workspace FROM marks);
  INSERT INTO metadata_days SELECT started_at, workspace, '', 1, '', 0, '', 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0 FROM marks;
  DROP TABLE marks;
  `,
];
