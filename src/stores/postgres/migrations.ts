/**
 * The schema of PostgreSQL, one migration per version; src/db/migrations.ts describes the columns. Only append, and only what the previous
 * release can work with: columns with defaults, tables, indexes. `@` before a name stands for the schema.
 *
 * Differences from SQLite: a workspace's spending of the last day and month is in its own row, so that one conditional UPDATE checks credits and
 * caps together. And each change of something that gateways keep in memory adds a row to `changes`, numbered in the order of the commits: the
 * number is taken at the end of the transaction, from a row that stays locked until the commit.
 */
import { BATCH_MIGRATIONS } from "./migrations-batches";
import { GROUP_MIGRATIONS } from "./migrations-groups";
import { LEASE_MIGRATIONS } from "./migrations-leases";
import { SUMS_MIGRATIONS } from "./migrations-sums";

export const MIGRATIONS: readonly string[] = [
  `
  CREATE TABLE @keys (
    id          text PRIMARY KEY,
    name        text NOT NULL,
    workspace   text NOT NULL,
    admin       boolean NOT NULL DEFAULT false,
    created_at  bigint NOT NULL,
    revoked_at  bigint
  );
  CREATE TABLE @key_secrets (
    hash        bytea PRIMARY KEY,
    key_id      text NOT NULL REFERENCES @keys (id),
    hint        text NOT NULL,
    created_at  bigint NOT NULL,
    expires_at  bigint
  );
  CREATE INDEX key_secrets_by_key ON @key_secrets (key_id);
  CREATE TABLE @tokens_taken (id integer PRIMARY KEY CHECK (id = 1), since bigint NOT NULL);

  -- Room on each page, so that a balance is changed without a new entry in an index.
  CREATE TABLE @workspaces (
    name                   text PRIMARY KEY,
    created_at             bigint NOT NULL,
    micro_credits          bigint CHECK (micro_credits >= 0),
    micro_credits_held     bigint NOT NULL DEFAULT 0 CHECK (micro_credits_held >= 0),
    pico_usd_held          bigint NOT NULL DEFAULT 0 CHECK (pico_usd_held >= 0),
    femto_credits_prepaid  bigint NOT NULL DEFAULT 0,
    spent_day              text COLLATE "C" NOT NULL DEFAULT '',
    spent_day_pico_usd     bigint NOT NULL DEFAULT 0,
    spent_month            text COLLATE "C" NOT NULL DEFAULT '',
    spent_month_pico_usd   bigint NOT NULL DEFAULT 0,
    models                 text,
    requests_per_minute    bigint,
    tokens_per_minute      bigint,
    cap_usd_per_day        double precision,
    cap_usd_per_month      double precision,
    cap_time_zone          text,
    dialect                text,
    policies               text
  ) WITH (fillfactor = 50);

  -- mark: of whoever changes a balance, so that a change whose acknowledgement was lost is not made twice.
  CREATE TABLE @credit_grants (
    id             bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    workspace      text NOT NULL,
    granted_at     bigint NOT NULL,
    micro_credits  bigint NOT NULL,
    balance        bigint NOT NULL CHECK (balance >= 0),
    note           text NOT NULL,
    mark           text UNIQUE
  );
  CREATE INDEX credit_grants_by_workspace ON @credit_grants (workspace, granted_at);

  -- process: the instance that began the row. spent_on: the day of its workspace's caps that it counts to.
  CREATE TABLE @ledger (
    request_id            text PRIMARY KEY,
    started_at            bigint NOT NULL,
    workspace             text NOT NULL,
    key_id                text,
    model                 text NOT NULL,
    provider              text,
    inputs                bigint NOT NULL CHECK (inputs >= 0),
    cache_hits            bigint NOT NULL DEFAULT 0 CHECK (cache_hits >= 0),
    tokens                bigint NOT NULL DEFAULT 0 CHECK (tokens >= 0),
    tokens_upstream       bigint NOT NULL DEFAULT 0 CHECK (tokens_upstream >= 0),
    tokens_abandoned      bigint NOT NULL DEFAULT 0 CHECK (tokens_abandoned >= 0),
    tokens_billed         bigint NOT NULL DEFAULT 0 CHECK (tokens_billed >= 0),
    tokens_source         text CHECK (tokens_source IN ('provider', 'header', 'counted', 'estimated')),
    status                integer NOT NULL DEFAULT 0,
    error                 text,
    kind                  text,
    upstream_status       integer,
    latency_ms            bigint NOT NULL DEFAULT 0,
    cost_pico_usd         bigint NOT NULL DEFAULT 0 CHECK (cost_pico_usd >= 0),
    upstream_pico_usd     bigint NOT NULL DEFAULT 0 CHECK (upstream_pico_usd >= 0),
    by_provider           text,
    "user"                text,
    metadata              text,
    process               text,
    spent_on              text,
    micro_credits_held    bigint NOT NULL DEFAULT 0 CHECK (micro_credits_held >= 0),
    pico_usd_held         bigint NOT NULL DEFAULT 0 CHECK (pico_usd_held >= 0),
    micro_credits         bigint NOT NULL DEFAULT 0 CHECK (micro_credits >= 0),
    micro_credits_taken   bigint NOT NULL DEFAULT 0 CHECK (micro_credits_taken >= 0),
    micro_credits_short   bigint NOT NULL DEFAULT 0 CHECK (micro_credits_short >= 0),
    femto_credits_rounded bigint NOT NULL DEFAULT 0,
    refusals              bigint CHECK (refusals > 0),
    tokens_cached         bigint NOT NULL DEFAULT 0 CHECK (tokens_cached >= 0),
    saved_pico_usd        bigint NOT NULL DEFAULT 0 CHECK (saved_pico_usd >= 0),
    calls_made            bigint,
    calls                 text
  ) WITH (fillfactor = 80);
  CREATE INDEX ledger_by_time ON @ledger (started_at);
  CREATE INDEX ledger_by_workspace ON @ledger (workspace, started_at);
  CREATE INDEX ledger_under_way ON @ledger (process) WHERE status = 0 AND error IS NULL;
  CREATE UNIQUE INDEX ledger_refused
    ON @ledger (workspace, (started_at / 60000), coalesce(key_id, ''), model, status, coalesce(error, ''))
    WHERE refusals IS NOT NULL;

  CREATE TABLE @spaces (
    name         text PRIMARY KEY,
    probes       bigint NOT NULL,
    dimensions   bigint NOT NULL CHECK (dimensions > 0),
    vectors      bytea NOT NULL,
    provider     text NOT NULL,
    model        text NOT NULL,
    measured_at  bigint NOT NULL,
    paid_at      bigint,
    confirmed    boolean NOT NULL DEFAULT true
  );
  CREATE TABLE @space_routes (
    claim        text NOT NULL,
    claimed      text NOT NULL,
    provider     text NOT NULL,
    model        text NOT NULL,
    space        text NOT NULL,
    probes       bigint NOT NULL,
    serves       boolean NOT NULL,
    cosine       double precision NOT NULL,
    cosines      text NOT NULL,
    says         text NOT NULL,
    measured_at  bigint NOT NULL,
    PRIMARY KEY (claim, provider, model)
  );
  CREATE TABLE @route_limits (
    provider          text NOT NULL,
    model             text NOT NULL,
    configuration     text NOT NULL,
    space             text NOT NULL,
    max_input_tokens  bigint CHECK (max_input_tokens > 0),
    learned_by        text NOT NULL CHECK (learned_by IN ('words', 'usage', 'trial')),
    whole_to          bigint NOT NULL,
    learned_at        bigint NOT NULL,
    PRIMARY KEY (provider, model)
  );

  -- Processes that serve: one that has been silent for too long is dead, and its rows and holds are released. serves: a hash of its routing file.
  CREATE TABLE @instances (
    id           text PRIMARY KEY,
    started_at   timestamptz NOT NULL DEFAULT now(),
    beat_at      timestamptz NOT NULL DEFAULT now(),
    machine      text NOT NULL,
    version      text NOT NULL,
    connections  integer NOT NULL,
    serves       text NOT NULL
  ) WITH (fillfactor = 50);

  -- Of "embedgate database move": where rows came from, and when all of them had.
  CREATE TABLE @moves (source text PRIMARY KEY, finished_at timestamptz);

  CREATE TABLE @audit (
    id      bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    at      bigint NOT NULL,
    actor   text NOT NULL,
    action  text NOT NULL,
    target  text NOT NULL,
    before  text,
    after   text
  );
  CREATE INDEX audit_by_target ON @audit (target, id);
  CREATE TABLE @admin_sessions (
    hash        bytea PRIMARY KEY,
    secret      bytea NOT NULL,
    created_at  bigint NOT NULL,
    expires_at  bigint NOT NULL
  );

  CREATE TABLE @changes (
    number  bigint PRIMARY KEY,
    what    text NOT NULL,
    name    text NOT NULL,
    at      timestamptz NOT NULL DEFAULT now()
  );
  CREATE TABLE @change_counter (id integer PRIMARY KEY CHECK (id = 1), number bigint NOT NULL);
  INSERT INTO @change_counter VALUES (1, 0);

  -- The first argument: what changed. The second: the column that names it.
  CREATE FUNCTION @note_change() RETURNS trigger LANGUAGE plpgsql AS $$
  DECLARE
    row_changed jsonb := CASE WHEN TG_OP = 'DELETE' THEN to_jsonb(OLD) ELSE to_jsonb(NEW) END;
    next_number bigint;
  BEGIN
    UPDATE @change_counter SET number = number + 1 RETURNING number INTO next_number;
    INSERT INTO @changes (number, what, name) VALUES (next_number, TG_ARGV[0], row_changed ->> TG_ARGV[1]);
    PERFORM pg_notify(TG_TABLE_SCHEMA || '_changes', next_number::text);
    RETURN NULL;
  END $$;

  CREATE CONSTRAINT TRIGGER keys_change AFTER INSERT OR UPDATE ON @keys
    DEFERRABLE INITIALLY DEFERRED FOR EACH ROW EXECUTE FUNCTION @note_change('key', 'id');
  CREATE CONSTRAINT TRIGGER key_secrets_change AFTER INSERT OR UPDATE ON @key_secrets
    DEFERRABLE INITIALLY DEFERRED FOR EACH ROW EXECUTE FUNCTION @note_change('key', 'key_id');
  CREATE CONSTRAINT TRIGGER tokens_taken_change AFTER INSERT ON @tokens_taken
    DEFERRABLE INITIALLY DEFERRED FOR EACH ROW EXECUTE FUNCTION @note_change('tokens', 'id');
  CREATE CONSTRAINT TRIGGER workspaces_made AFTER INSERT OR DELETE ON @workspaces
    DEFERRABLE INITIALLY DEFERRED FOR EACH ROW EXECUTE FUNCTION @note_change('workspace', 'name');
  -- Not for what each request changes.
  CREATE CONSTRAINT TRIGGER workspaces_change AFTER UPDATE OF
      name, micro_credits, models, requests_per_minute, tokens_per_minute, cap_usd_per_day, cap_usd_per_month, cap_time_zone, dialect, policies
    ON @workspaces DEFERRABLE INITIALLY DEFERRED FOR EACH ROW
    WHEN ((OLD.micro_credits IS NULL) <> (NEW.micro_credits IS NULL)
      OR (OLD.name, OLD.models, OLD.requests_per_minute, OLD.tokens_per_minute, OLD.cap_usd_per_day, OLD.cap_usd_per_month,
          OLD.cap_time_zone, OLD.dialect, OLD.policies)
        IS DISTINCT FROM (NEW.name, NEW.models, NEW.requests_per_minute, NEW.tokens_per_minute, NEW.cap_usd_per_day, NEW.cap_usd_per_month,
          NEW.cap_time_zone, NEW.dialect, NEW.policies))
    EXECUTE FUNCTION @note_change('workspace', 'name');
  CREATE CONSTRAINT TRIGGER spaces_change AFTER INSERT OR UPDATE OR DELETE ON @spaces
    DEFERRABLE INITIALLY DEFERRED FOR EACH ROW EXECUTE FUNCTION @note_change('space', 'name');
  CREATE CONSTRAINT TRIGGER route_limits_change AFTER INSERT OR UPDATE OR DELETE ON @route_limits
    DEFERRABLE INITIALLY DEFERRED FOR EACH ROW EXECUTE FUNCTION @note_change('limit', 'provider');
  `,
  ...BATCH_MIGRATIONS,
  ...LEASE_MIGRATIONS,
  ...SUMS_MIGRATIONS,
  `
  -- When a route last left the space: vectors cached before are not found any more.
  ALTER TABLE @spaces ADD COLUMN drifted_at bigint;
  `,
  `
  -- Invoices by day and model, as they were summed when the sums by time of that day were those of sums.
  CREATE TABLE @invoice_days (
    workspace              text NOT NULL,
    day                    bigint NOT NULL,
    model                  text NOT NULL,
    sums                   text NOT NULL,
    requests               bigint NOT NULL,
    tokens_billed          bigint NOT NULL,
    least_price            bigint,
    most_price             bigint,
    cost_pico_usd          bigint NOT NULL,
    micro_credits          bigint NOT NULL,
    femto_credits_rounded  bigint NOT NULL,
    hash                   bytea NOT NULL GENERATED ALWAYS AS (@hash_of(ARRAY[workspace, model])) STORED,
    PRIMARY KEY (day, hash)
  );
  CREATE INDEX invoice_days_by_workspace ON @invoice_days (workspace, day);
  `,
  ...GROUP_MIGRATIONS,
];
