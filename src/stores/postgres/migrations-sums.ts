/**
 * The migrations that added sums over time, day sums of trimmed requests and refusals that are counted once, as part of MIGRATIONS
 * (migrations.ts). Never change a released step: append a new one there. The sums are defined in src/books/rollups.ts and kept by sums.ts.
 */

/** A copy of src/books/latency-bounds.ts as of this migration: other bounds would need other columns. */
const BOUNDS_MS = [
  1, 2, 3, 5, 7, 10, 15, 20, 30, 50, 70, 100, 150, 200, 300, 500, 700, 1000, 1500, 2000, 3000, 5000, 7000,
  10000, 15000, 20000, 30000, 60000,
];
const LATENCIES = [...BOUNDS_MS.map((bound) => `up_to_${bound}_ms`), "slower"]
  .map((name) => `${name} bigint NOT NULL DEFAULT 0`)
  .join(", ");

const AMOUNTS = `
    requests           bigint NOT NULL,
    inputs             bigint NOT NULL,
    cache_hits         bigint NOT NULL,
    tokens             bigint NOT NULL,
    tokens_upstream    bigint NOT NULL,
    tokens_billed      bigint NOT NULL,
    estimated          bigint NOT NULL,
    cost_pico_usd      bigint NOT NULL,
    micro_credits      bigint NOT NULL,
    upstream_pico_usd  bigint NOT NULL,`;

/** The ledger's columns that are summed. */
const COUNTED = [
  [
    "started_at",
    "workspace",
    "key_id",
    "model",
    "provider",
    "status",
    "error",
    "kind",
    "refusals",
    "inputs",
    "cache_hits",
  ],
  [
    "tokens",
    "tokens_upstream",
    "tokens_billed",
    "tokens_cached",
    "tokens_source",
    "latency_ms",
    "cost_pico_usd",
  ],
  ["micro_credits", "upstream_pico_usd", "saved_pico_usd", "by_provider"],
].flat();
const of = (row: string) => COUNTED.map((column) => `${row}.${column}`).join(", ");

/** A row older than a minute may be summed already. The time is that of the statement, not of the transaction's begin. */
const isLate = (row: string) => `${row}.started_at < date_part('epoch', clock_timestamp()) * 1000 - 60000`;

export const SUMS_MIGRATIONS: readonly string[] = [
  `
  -- Refusals whose count is committed, until its acknowledgement is: one that was lost is not counted again.
  CREATE TABLE @refusals_counted (
    request_id  text PRIMARY KEY,
    process     text NOT NULL,
    at          timestamptz NOT NULL DEFAULT now()
  );
  `,
  `
  -- Names may be longer than an index takes.
  CREATE FUNCTION @hash_of(text[]) RETURNS bytea LANGUAGE sql IMMUTABLE STRICT PARALLEL SAFE AS
    $$ SELECT sha256(convert_to($1::text, 'UTF8')) $$;

  CREATE TABLE @rollups (
    unit_ms            bigint NOT NULL,
    started_at         bigint NOT NULL,
    workspace          text NOT NULL,
    key_id             text NOT NULL,
    model              text NOT NULL,
    provider           text NOT NULL,
    status             integer NOT NULL,
    code               text NOT NULL,
    kind               text NOT NULL,${AMOUNTS}
    tokens_cached      bigint NOT NULL,
    saved_pico_usd     bigint NOT NULL,
    ${LATENCIES},
    hash               bytea NOT NULL GENERATED ALWAYS AS
      (@hash_of(ARRAY[workspace, key_id, model, provider, status::text, code, kind])) STORED,
    PRIMARY KEY (unit_ms, started_at, hash)
  );
  CREATE INDEX rollups_by_workspace ON @rollups (workspace, unit_ms, started_at);

  CREATE TABLE @ledger_days (
    day                    text NOT NULL,
    workspace              text NOT NULL,
    key_id                 text NOT NULL,
    model                  text NOT NULL,
    provider               text NOT NULL,
    status                 integer NOT NULL,
    error                  text NOT NULL,
    metadata               text NOT NULL,
    grants                 bigint NOT NULL,
    price                  bigint NOT NULL,
    charged                boolean NOT NULL,
    first_at               bigint NOT NULL,
    row_count              bigint NOT NULL,${AMOUNTS}
    micro_credits_taken    bigint NOT NULL,
    femto_credits_rounded  bigint NOT NULL,
    hash                   bytea NOT NULL GENERATED ALWAYS AS (@hash_of(ARRAY[workspace, key_id, model, provider, status::text, error, metadata,
      grants::text, price::text, charged::text])) STORED,
    PRIMARY KEY (day, hash)
  );
  CREATE INDEX ledger_days_by_workspace ON @ledger_days (workspace, first_at);
  CREATE INDEX ledger_days_by_time ON @ledger_days (first_at);

  -- What rows said that began before sums.summed_to as it was (-1) or may have been when they changed, and what they say now (1).
  CREATE TABLE @ledger_late (
    id                 bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    sign               integer NOT NULL,
    started_at         bigint NOT NULL,
    workspace          text NOT NULL,
    key_id             text,
    model              text NOT NULL,
    provider           text,
    status             integer NOT NULL,
    error              text,
    kind               text,
    refusals           bigint,
    inputs             bigint NOT NULL,
    cache_hits         bigint NOT NULL,
    tokens             bigint NOT NULL,
    tokens_upstream    bigint NOT NULL,
    tokens_billed      bigint NOT NULL,
    tokens_cached      bigint NOT NULL,
    tokens_source      text,
    latency_ms         bigint NOT NULL,
    cost_pico_usd      bigint NOT NULL,
    micro_credits      bigint NOT NULL,
    upstream_pico_usd  bigint NOT NULL,
    saved_pico_usd     bigint NOT NULL,
    by_provider        text
  );
  CREATE INDEX ledger_late_by_time ON @ledger_late (started_at);

  -- summed_to: rollups have all rows that began before it, but for what is in ledger_late. next_to: as far as they may have, once all
  -- transactions before next_after are over. trimmed_to: before it, rows may be gone.
  CREATE TABLE @sums (
    id          integer PRIMARY KEY CHECK (id = 1),
    summed_to   bigint NOT NULL,
    next_to     bigint,
    next_after  xid8,
    trimmed_to  bigint NOT NULL DEFAULT 0
  );
  INSERT INTO @sums (id, summed_to) VALUES (1, 0);

  -- trims: it sums trimmed requests up as well. While one does not, nothing is trimmed.
  ALTER TABLE @instances ADD COLUMN trims boolean NOT NULL DEFAULT false;

  -- A release that knows nothing of sums changes rows, too. Whoever changes rows and sums together says so: embedgate.sums = own.
  CREATE FUNCTION @note_late() RETURNS trigger LANGUAGE plpgsql AS $$
  BEGIN
    IF current_setting('embedgate.sums', true) = 'own' THEN RETURN NULL; END IF;
    IF TG_OP <> 'INSERT' THEN
      INSERT INTO @ledger_late (sign, ${COUNTED.join(", ")}) SELECT -1, ${of("OLD")} WHERE OLD.status <> 0 OR OLD.error IS NOT NULL;
    END IF;
    IF TG_OP <> 'DELETE' THEN
      INSERT INTO @ledger_late (sign, ${COUNTED.join(", ")}) SELECT 1, ${of("NEW")} WHERE NEW.status <> 0 OR NEW.error IS NOT NULL;
    END IF;
    RETURN NULL;
  END $$;
  CREATE TRIGGER ledger_late_insert AFTER INSERT ON @ledger FOR EACH ROW WHEN (${isLate("NEW")}) EXECUTE FUNCTION @note_late();
  CREATE TRIGGER ledger_late_update AFTER UPDATE ON @ledger FOR EACH ROW WHEN (${isLate("OLD")} OR ${isLate("NEW")})
    EXECUTE FUNCTION @note_late();
  CREATE TRIGGER ledger_late_delete AFTER DELETE ON @ledger FOR EACH ROW WHEN (${isLate("OLD")}) EXECUTE FUNCTION @note_late();
  `,
];
