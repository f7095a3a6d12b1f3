/**
 * The migrations for sums of finished hours and days by fewer names (src/books/groupings.ts), as part of MIGRATIONS (migrations.ts). Never change a
 * released step: append a new one there. The tables begin empty: regrouping.ts fills them in the background.
 */

const COUNTS = [
  "requests",
  "inputs",
  "cache_hits",
  "tokens",
  "tokens_upstream",
  "tokens_billed",
  "tokens_cached",
  "estimated",
  "cost_pico_usd",
  "micro_credits",
  "upstream_pico_usd",
  "saved_pico_usd",
];
/** A copy of src/books/latency-bounds.ts as of this migration: other bounds would need other columns. */
const BOUNDS_MS = [
  1, 2, 3, 5, 7, 10, 15, 20, 30, 50, 70, 100, 150, 200, 300, 500, 700, 1000, 1500, 2000, 3000, 5000, 7000,
  10000, 15000, 20000, 30000, 60000,
];
const LATENCIES = [...BOUNDS_MS.map((bound) => `up_to_${bound}_ms`), "slower"];
const columns = (names: readonly string[]) => names.map((name) => `${name} bigint NOT NULL`).join(", ");

const trigger = (event: string, rows: string) => `
  CREATE TRIGGER rollups_ungroup_${event.toLowerCase()} AFTER ${event} ON @rollups REFERENCING ${rows} TABLE AS changed
    FOR EACH STATEMENT EXECUTE FUNCTION @ungroup();`;

export const GROUP_MIGRATIONS: readonly string[] = [
  `
  -- Sums of rollups by fewer names, of the hours and days that grouped says. Latencies are those of answered requests.
  CREATE TABLE @group_sums (
    grouping    text NOT NULL,
    unit_ms     bigint NOT NULL,
    started_at  bigint NOT NULL,
    name_1      text NOT NULL,
    name_2      text NOT NULL,
    ${columns([...COUNTS, "failed", ...LATENCIES])}
  );
  CREATE INDEX group_sums_by_time ON @group_sums (grouping, unit_ms, started_at);

  CREATE TABLE @group_errors (
    grouping    text NOT NULL,
    unit_ms     bigint NOT NULL,
    started_at  bigint NOT NULL,
    name_1      text NOT NULL,
    name_2      text NOT NULL,
    status      integer NOT NULL,
    code        text NOT NULL,
    kind        text NOT NULL,
    requests    bigint NOT NULL
  );
  CREATE INDEX group_errors_by_time ON @group_errors (grouping, unit_ms, started_at);

  -- Sums by metadata, of a day's requests with a key, by its values, and the values with the most requests.
  CREATE TABLE @metadata_key_sums (
    started_at    bigint NOT NULL,
    metadata_key  text NOT NULL,
    status        integer NOT NULL,
    code          text NOT NULL,
    ${columns(COUNTS)}
  );
  CREATE INDEX metadata_key_sums_by_time ON @metadata_key_sums (started_at, metadata_key);

  CREATE TABLE @metadata_value_sums (
    started_at    bigint NOT NULL,
    metadata_key  text NOT NULL,
    value         text NOT NULL,
    status        integer NOT NULL,
    code          text NOT NULL,
    ${columns(COUNTS)}
  );
  CREATE INDEX metadata_value_sums_by_time ON @metadata_value_sums (started_at, metadata_key, value);

  CREATE TABLE @metadata_leading (
    started_at       bigint NOT NULL,
    metadata_key     text NOT NULL,
    value            text NOT NULL,
    requests         bigint NOT NULL,
    tokens_upstream  bigint NOT NULL
  );
  CREATE INDEX metadata_leading_by_time ON @metadata_leading (started_at, metadata_key);

  -- What a workspace was charged on a day, for the history of its credits.
  CREATE TABLE @charge_days (
    workspace            text NOT NULL,
    started_at           bigint NOT NULL,
    first_at             bigint NOT NULL,
    requests             bigint NOT NULL,
    micro_credits        bigint NOT NULL,
    micro_credits_taken  bigint NOT NULL
  );
  CREATE INDEX charge_days_by_workspace ON @charge_days (workspace, started_at);
  CREATE INDEX charge_days_by_time ON @charge_days (started_at);

  -- part: 'names' for group_sums, group_errors and, by day, charge_days, 'invoices' for invoice_days, 'metadata' for the others. is_told: false where there was too much metadata.
  CREATE TABLE @grouped (
    part        text NOT NULL,
    unit_ms     bigint NOT NULL,
    started_at  bigint NOT NULL,
    is_told     boolean NOT NULL,
    PRIMARY KEY (unit_ms, started_at, part)
  );

  -- A change of a sum makes the hour and the day that it belongs to be grouped again, also a change by a release that knows nothing of groups.
  -- The lock is the one that is held while sums are grouped.
  CREATE FUNCTION @ungroup() RETURNS trigger LANGUAGE plpgsql AS $$
  BEGIN
    PERFORM 1 FROM @sums FOR UPDATE;
    DELETE FROM @grouped AS g USING (SELECT DISTINCT started_at - started_at % 3600000 AS hour FROM changed WHERE unit_ms > 60000) AS c
      WHERE (g.unit_ms = 3600000 AND g.started_at = c.hour) OR (g.unit_ms = 86400000 AND g.started_at = c.hour - c.hour % 86400000);
    RETURN NULL;
  END $$;
  ${trigger("INSERT", "NEW")}
  ${trigger("UPDATE", "NEW")}
  ${trigger("DELETE", "OLD")}
  `,
];
