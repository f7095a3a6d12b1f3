/**
 * The database schema, one step per version. Append only: a released step is never edited, because databases have run it.
 * Money is whole pico-USD (10⁻¹² USD) so that no price is rounded: 0.02 USD per million tokens is 20,000 per token.
 */
import { BATCH_MIGRATIONS } from "./migrations-batches";
import { GROUP_MIGRATIONS } from "./migrations-groups";
import { SUMS_MIGRATIONS } from "./migrations-sums";

export const MIGRATIONS: readonly string[] = [
  `
  CREATE TABLE keys (
    id          TEXT PRIMARY KEY,
    name        TEXT NOT NULL,
    workspace   TEXT NOT NULL,
    created_at  INTEGER NOT NULL,
    revoked_at  INTEGER
  ) STRICT, WITHOUT ROWID;

  -- A key has several secrets while a rotation's grace lasts. Only their SHA-256 is kept: they are random, so no salt is needed.
  CREATE TABLE key_secrets (
    hash        BLOB PRIMARY KEY,
    key_id      TEXT NOT NULL REFERENCES keys (id),
    hint        TEXT NOT NULL,
    created_at  INTEGER NOT NULL,
    expires_at  INTEGER
  ) STRICT, WITHOUT ROWID;
  CREATE INDEX key_secrets_by_key ON key_secrets (key_id, created_at);

  -- One row a request whose caller was known, whatever came of it. Status 0: its calls are under way, or a crash ended them
  -- (error 'interrupted'); settling gives the row its status.
  CREATE TABLE ledger (
    request_id       TEXT PRIMARY KEY,
    started_at       INTEGER NOT NULL,
    workspace        TEXT NOT NULL,
    key_id           TEXT,
    model            TEXT NOT NULL,
    provider         TEXT,
    inputs           INTEGER NOT NULL CHECK (inputs >= 0),
    tokens           INTEGER NOT NULL CHECK (tokens >= 0),
    tokens_upstream  INTEGER NOT NULL CHECK (tokens_upstream >= 0),
    tokens_billed    INTEGER NOT NULL CHECK (tokens_billed >= 0),
    tokens_source    TEXT CHECK (tokens_source IN ('provider', 'header', 'counted', 'estimated')),
    status           INTEGER NOT NULL,
    error            TEXT,
    latency_ms       INTEGER NOT NULL,
    cost_pico_usd    INTEGER NOT NULL CHECK (cost_pico_usd >= 0),
    user             TEXT,
    metadata         TEXT
  ) STRICT;
  CREATE INDEX ledger_by_time ON ledger (started_at);
  CREATE INDEX ledger_under_way ON ledger (started_at) WHERE status = 0;
  `,
  `
  -- May read /metrics and what else is for those who run the gateway.
  ALTER TABLE keys ADD COLUMN admin INTEGER NOT NULL DEFAULT 0 CHECK (admin IN (0, 1));

  -- Inputs that no provider was asked for: found in the cache, equal to another of the request, or fetched by another request just then.
  ALTER TABLE ledger ADD COLUMN cache_hits INTEGER NOT NULL DEFAULT 0 CHECK (cache_hits >= 0);

  -- The first measurement of each embedding space: the vectors of the probe texts, one after the other, little-endian float32.
  CREATE TABLE spaces (
    name         TEXT PRIMARY KEY,
    probes       INTEGER NOT NULL,
    dimensions   INTEGER NOT NULL CHECK (dimensions > 0),
    vectors      BLOB NOT NULL,
    provider     TEXT NOT NULL,
    model        TEXT NOT NULL,
    measured_at  INTEGER NOT NULL
  ) STRICT;
  `,
  `
  -- Whom usage belongs to. A column that is NULL is as workspace_defaults has it, now; but for credits, where NULL is no limit.
  CREATE TABLE workspaces (
    name                 TEXT PRIMARY KEY,
    created_at           INTEGER NOT NULL,
    micro_credits        INTEGER CHECK (micro_credits >= 0),
    -- What requests under way may yet come to: of the credits, and of the caps.
    micro_credits_held   INTEGER NOT NULL DEFAULT 0 CHECK (micro_credits_held >= 0),
    pico_usd_held        INTEGER NOT NULL DEFAULT 0 CHECK (pico_usd_held >= 0),
    models               TEXT,
    requests_per_minute  INTEGER,
    tokens_per_minute    INTEGER,
    cap_usd_per_day      REAL,
    cap_usd_per_month    REAL,
    dialect              TEXT,
    policies             TEXT
  ) STRICT, WITHOUT ROWID;

  -- Every change of a balance but for requests, whose own are in the ledger.
  CREATE TABLE credit_grants (
    id             INTEGER PRIMARY KEY,
    workspace      TEXT NOT NULL,
    granted_at     INTEGER NOT NULL,
    micro_credits  INTEGER NOT NULL,
    balance        INTEGER NOT NULL CHECK (balance >= 0),
    note           TEXT NOT NULL
  ) STRICT;
  CREATE INDEX credit_grants_by_workspace ON credit_grants (workspace, granted_at);

  -- Sums for the caps: a month has 31 rows at most, however long the ledger grows. Days are UTC.
  CREATE TABLE spending (
    workspace      TEXT NOT NULL,
    day            TEXT NOT NULL,
    cost_pico_usd  INTEGER NOT NULL DEFAULT 0,
    PRIMARY KEY (workspace, day)
  ) STRICT, WITHOUT ROWID;

  -- Held when the row was begun, taken when it was settled, and what the hold did not cover: micro-credits.
  ALTER TABLE ledger ADD COLUMN micro_credits_held INTEGER NOT NULL DEFAULT 0 CHECK (micro_credits_held >= 0);
  ALTER TABLE ledger ADD COLUMN pico_usd_held INTEGER NOT NULL DEFAULT 0 CHECK (pico_usd_held >= 0);
  ALTER TABLE ledger ADD COLUMN micro_credits INTEGER NOT NULL DEFAULT 0 CHECK (micro_credits >= 0);
  ALTER TABLE ledger ADD COLUMN micro_credits_short INTEGER NOT NULL DEFAULT 0 CHECK (micro_credits_short >= 0);
  CREATE INDEX ledger_by_workspace ON ledger (workspace, started_at);
  `,
  `
  -- What of micro_credits was taken from a balance: nothing where the workspace had no limit then.
  ALTER TABLE ledger ADD COLUMN micro_credits_taken INTEGER NOT NULL DEFAULT 0 CHECK (micro_credits_taken >= 0);
  UPDATE ledger SET micro_credits_taken = micro_credits
    WHERE workspace IN (SELECT name FROM workspaces WHERE micro_credits IS NOT NULL);
  `,
  `
  -- The process that began the row, where several serve by one database: when it dies, its rows are interrupted, and nobody else's.
  ALTER TABLE ledger ADD COLUMN process TEXT;
  `,
  `
  -- Since when tokens of an outside issuer were taken, a row at most: from then on the gateway is never open by itself again.
  CREATE TABLE tokens_taken (
    id     INTEGER PRIMARY KEY CHECK (id = 1),
    since  INTEGER NOT NULL
  ) STRICT;
  `,
  `
  -- Requests that were refused before any call was made or held for: one row for all of a key that ended alike within a minute, and how
  -- many they are. NULL: the row is of one request, which got further.
  ALTER TABLE ledger ADD COLUMN refusals INTEGER CHECK (refusals > 0);
  CREATE UNIQUE INDEX ledger_refused ON ledger (workspace, started_at / 60000, coalesce(key_id, ''), model, status, coalesce(error, ''))
    WHERE refusals IS NOT NULL;

  -- An id that a caller chose under a pattern: when a request for it was last answered, 0 while none was, so that what nobody pays for can
  -- be forgotten. NULL: of the routing file's own, and kept.
  ALTER TABLE spaces ADD COLUMN paid_at INTEGER;
  CREATE INDEX spaces_paid ON spaces (paid_at) WHERE paid_at IS NOT NULL;
  `,
  `
  -- 0: told by a later route of a model alone, so that an earlier one's word may yet stand against it.
  ALTER TABLE spaces ADD COLUMN confirmed INTEGER NOT NULL DEFAULT 1 CHECK (confirmed IN (0, 1));

  -- What the last measurement of each route came to. claim: the model, by the space that it claims and its first way; claimed: that
  -- space; space: the one that it lies in, or was compared with.
  CREATE TABLE space_routes (
    claim        TEXT NOT NULL,
    claimed      TEXT NOT NULL,
    provider     TEXT NOT NULL,
    model        TEXT NOT NULL,
    space        TEXT NOT NULL,
    probes       INTEGER NOT NULL,
    serves       INTEGER NOT NULL CHECK (serves IN (0, 1)),
    cosine       REAL NOT NULL,
    -- By kind of probe text, as JSON.
    cosines      TEXT NOT NULL,
    says         TEXT NOT NULL,
    measured_at  INTEGER NOT NULL,
    PRIMARY KEY (claim, provider, model)
  ) STRICT, WITHOUT ROWID;
  `,
  `
  -- What a failure was, more nearly than its code says (kind), and what the provider answered, where one did.
  ALTER TABLE ledger ADD COLUMN kind TEXT;
  ALTER TABLE ledger ADD COLUMN upstream_status INTEGER;

  -- What providers are owed for tokens_upstream. Where other providers than the one in the column provider counted some of them,
  -- by_provider has each one's share: JSON, [[name, tokens, pico-USD], ...].
  ALTER TABLE ledger ADD COLUMN upstream_pico_usd INTEGER NOT NULL DEFAULT 0 CHECK (upstream_pico_usd >= 0);
  ALTER TABLE ledger ADD COLUMN by_provider TEXT;
  `,
  `
  -- Charges are whole micro-credits, costs are not. What a workspace's charges have come to beyond their exact sum, below one micro-credit,
  -- in 10^-15 credits; and by how much each row's charge differs from its cost, so that any rows' exact sum can be had.
  ALTER TABLE workspaces ADD COLUMN femto_credits_prepaid INTEGER NOT NULL DEFAULT 0;
  ALTER TABLE ledger ADD COLUMN femto_credits_rounded INTEGER NOT NULL DEFAULT 0;

  -- In which the days and months of a workspace's caps, and so its rows of spending, begin and end. NULL: as workspace_defaults has it.
  ALTER TABLE workspaces ADD COLUMN cap_time_zone TEXT;

  -- As part of tokens_upstream: of calls that were sent and not answered, an estimate.
  ALTER TABLE ledger ADD COLUMN tokens_abandoned INTEGER NOT NULL DEFAULT 0 CHECK (tokens_abandoned >= 0);
  `,
  `
  -- How much of a text a model at a provider was seen to look at. configuration: a hash of what the routing file said of it then; with
  -- another one the row is not found. max_input_tokens: NULL where no limit was seen; whole_to: texts of so many tokens were looked at whole.
  CREATE TABLE route_limits (
    provider          TEXT NOT NULL,
    model             TEXT NOT NULL,
    configuration     TEXT NOT NULL,
    space             TEXT NOT NULL,
    max_input_tokens  INTEGER CHECK (max_input_tokens > 0),
    learned_by        TEXT NOT NULL CHECK (learned_by IN ('words', 'usage', 'trial')),
    whole_to          INTEGER NOT NULL,
    learned_at        INTEGER NOT NULL,
    PRIMARY KEY (provider, model)
  ) STRICT, WITHOUT ROWID;
  `,
  `
  -- Who changed what: a key's id, 'command line', 'open mode' or 'routing file'. before and after are JSON, without secrets.
  CREATE TABLE audit (
    id      INTEGER PRIMARY KEY,
    at      INTEGER NOT NULL,
    actor   TEXT NOT NULL,
    action  TEXT NOT NULL,
    target  TEXT NOT NULL,
    before  TEXT,
    after   TEXT
  ) STRICT;
  CREATE INDEX audit_by_target ON audit (target, id);

  -- Sessions of the dashboard: the cookie's SHA-256, and that of the key's secret they were begun with, whose end is theirs.
  CREATE TABLE admin_sessions (
    hash        BLOB PRIMARY KEY,
    secret      BLOB NOT NULL,
    created_at  INTEGER NOT NULL,
    expires_at  INTEGER NOT NULL
  ) STRICT, WITHOUT ROWID;
  `,
  `
  -- Of tokens: those of inputs that no provider was asked for, and what the provider would have been owed for them.
  ALTER TABLE ledger ADD COLUMN tokens_cached INTEGER NOT NULL DEFAULT 0 CHECK (tokens_cached >= 0);
  ALTER TABLE ledger ADD COLUMN saved_pico_usd INTEGER NOT NULL DEFAULT 0 CHECK (saved_pico_usd >= 0);

  -- The calls that were made for a request: how many, and where that is not one that was answered, what each was (src/books/calls.ts).
  ALTER TABLE ledger ADD COLUMN calls_made INTEGER;
  ALTER TABLE ledger ADD COLUMN calls TEXT;
  `,
  `
  -- Sums of the ledger by minute and hour, written with its rows, and by day, which are made of old hours. Empty where the ledger has null.
  CREATE TABLE rollups (
    unit_ms             INTEGER NOT NULL,
    started_at          INTEGER NOT NULL,
    workspace           TEXT NOT NULL,
    key_id              TEXT NOT NULL,
    model               TEXT NOT NULL,
    provider            TEXT NOT NULL,
    status              INTEGER NOT NULL,
    code                TEXT NOT NULL,
    kind                TEXT NOT NULL,
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
    -- How many took so long: a small histogram.
    up_to_1_ms      INTEGER NOT NULL DEFAULT 0,
    up_to_2_ms      INTEGER NOT NULL DEFAULT 0,
    up_to_3_ms      INTEGER NOT NULL DEFAULT 0,
    up_to_5_ms      INTEGER NOT NULL DEFAULT 0,
    up_to_7_ms      INTEGER NOT NULL DEFAULT 0,
    up_to_10_ms     INTEGER NOT NULL DEFAULT 0,
    up_to_15_ms     INTEGER NOT NULL DEFAULT 0,
    up_to_20_ms     INTEGER NOT NULL DEFAULT 0,
    up_to_30_ms     INTEGER NOT NULL DEFAULT 0,
    up_to_50_ms     INTEGER NOT NULL DEFAULT 0,
    up_to_70_ms     INTEGER NOT NULL DEFAULT 0,
    up_to_100_ms    INTEGER NOT NULL DEFAULT 0,
    up_to_150_ms    INTEGER NOT NULL DEFAULT 0,
    up_to_200_ms    INTEGER NOT NULL DEFAULT 0,
    up_to_300_ms    INTEGER NOT NULL DEFAULT 0,
    up_to_500_ms    INTEGER NOT NULL DEFAULT 0,
    up_to_700_ms    INTEGER NOT NULL DEFAULT 0,
    up_to_1000_ms   INTEGER NOT NULL DEFAULT 0,
    up_to_1500_ms   INTEGER NOT NULL DEFAULT 0,
    up_to_2000_ms   INTEGER NOT NULL DEFAULT 0,
    up_to_3000_ms   INTEGER NOT NULL DEFAULT 0,
    up_to_5000_ms   INTEGER NOT NULL DEFAULT 0,
    up_to_7000_ms   INTEGER NOT NULL DEFAULT 0,
    up_to_10000_ms  INTEGER NOT NULL DEFAULT 0,
    up_to_15000_ms  INTEGER NOT NULL DEFAULT 0,
    up_to_20000_ms  INTEGER NOT NULL DEFAULT 0,
    up_to_30000_ms  INTEGER NOT NULL DEFAULT 0,
    up_to_60000_ms  INTEGER NOT NULL DEFAULT 0,
    slower          INTEGER NOT NULL DEFAULT 0,
    PRIMARY KEY (unit_ms, started_at, workspace, key_id, model, provider, status, code, kind)
  ) STRICT, WITHOUT ROWID;
  `,
  `
  -- What is kept of a day's requests once they are trimmed from the ledger: sums of all that agree in what statements and usage tell apart.
  -- first_at: when the first of them came. grants: how many changes of the workspace's balance came before them, so that its history stays.
  -- price: pico-USD a token; -1 where it is no whole number, -2 where nothing was billed.
  CREATE TABLE ledger_days (
    day                    TEXT NOT NULL,
    workspace              TEXT NOT NULL,
    key_id                 TEXT NOT NULL,
    model                  TEXT NOT NULL,
    provider               TEXT NOT NULL,
    status                 INTEGER NOT NULL,
    error                  TEXT NOT NULL,
    metadata               TEXT NOT NULL,
    grants                 INTEGER NOT NULL,
    price                  INTEGER NOT NULL,
    charged                INTEGER NOT NULL,
    first_at               INTEGER NOT NULL,
    row_count              INTEGER NOT NULL,
    requests               INTEGER NOT NULL,
    inputs                 INTEGER NOT NULL,
    cache_hits             INTEGER NOT NULL,
    tokens                 INTEGER NOT NULL,
    tokens_upstream        INTEGER NOT NULL,
    tokens_billed          INTEGER NOT NULL,
    estimated              INTEGER NOT NULL,
    cost_pico_usd          INTEGER NOT NULL,
    upstream_pico_usd      INTEGER NOT NULL,
    micro_credits          INTEGER NOT NULL,
    micro_credits_taken    INTEGER NOT NULL,
    femto_credits_rounded  INTEGER NOT NULL,
    PRIMARY KEY (day, workspace, key_id, model, provider, status, error, metadata, grants, price, charged)
  ) STRICT, WITHOUT ROWID;
  CREATE INDEX ledger_days_by_workspace ON ledger_days (workspace, first_at);
  `,
  `
  -- The sums by hour of the rows that there are already. Those by minute begin now.
  INSERT INTO rollups
  WITH rows AS (SELECT *, iif(workspace <> 'embedgate', coalesce(refusals, 1), 0) AS asked FROM ledger WHERE status <> 0 OR error IS NOT NULL),
  shares AS (
    SELECT rows.*, coalesce(share.key, 0) = 0 AS is_first, iif(by_provider IS NULL, provider, share.value ->> 0) AS of_provider,
      iif(by_provider IS NULL, rows.tokens_upstream, share.value ->> 1) AS of_tokens,
      iif(by_provider IS NULL, rows.upstream_pico_usd, share.value ->> 2) AS of_pico_usd
    FROM rows LEFT JOIN json_each(by_provider) AS share)
  SELECT 3600000, started_at - started_at % 3600000, workspace, coalesce(key_id, ''), model, coalesce(of_provider, ''), status,
    coalesce(error, ''), coalesce(kind, ''),
    sum(iif(is_first, asked, 0)), sum(iif(is_first AND asked > 0, inputs, 0)), sum(iif(is_first, cache_hits, 0)), sum(iif(is_first, tokens, 0)),
    sum(of_tokens), sum(iif(is_first, tokens_billed, 0)), 0, sum(iif(is_first AND asked > 0 AND tokens_source IS 'estimated', 1, 0)),
    sum(iif(is_first, cost_pico_usd, 0)), sum(iif(is_first, micro_credits, 0)), sum(of_pico_usd), 0,
    sum(iif(is_first AND latency_ms > -1 AND latency_ms <= 1, asked, 0)),
    sum(iif(is_first AND latency_ms > 1 AND latency_ms <= 2, asked, 0)),
    sum(iif(is_first AND latency_ms > 2 AND latency_ms <= 3, asked, 0)),
    sum(iif(is_first AND latency_ms > 3 AND latency_ms <= 5, asked, 0)),
    sum(iif(is_first AND latency_ms > 5 AND latency_ms <= 7, asked, 0)),
    sum(iif(is_first AND latency_ms > 7 AND latency_ms <= 10, asked, 0)),
    sum(iif(is_first AND latency_ms > 10 AND latency_ms <= 15, asked, 0)),
    sum(iif(is_first AND latency_ms > 15 AND latency_ms <= 20, asked, 0)),
    sum(iif(is_first AND latency_ms > 20 AND latency_ms <= 30, asked, 0)),
    sum(iif(is_first AND latency_ms > 30 AND latency_ms <= 50, asked, 0)),
    sum(iif(is_first AND latency_ms > 50 AND latency_ms <= 70, asked, 0)),
    sum(iif(is_first AND latency_ms > 70 AND latency_ms <= 100, asked, 0)),
    sum(iif(is_first AND latency_ms > 100 AND latency_ms <= 150, asked, 0)),
    sum(iif(is_first AND latency_ms > 150 AND latency_ms <= 200, asked, 0)),
    sum(iif(is_first AND latency_ms > 200 AND latency_ms <= 300, asked, 0)),
    sum(iif(is_first AND latency_ms > 300 AND latency_ms <= 500, asked, 0)),
    sum(iif(is_first AND latency_ms > 500 AND latency_ms <= 700, asked, 0)),
    sum(iif(is_first AND latency_ms > 700 AND latency_ms <= 1000, asked, 0)),
    sum(iif(is_first AND latency_ms > 1000 AND latency_ms <= 1500, asked, 0)),
    sum(iif(is_first AND latency_ms > 1500 AND latency_ms <= 2000, asked, 0)),
    sum(iif(is_first AND latency_ms > 2000 AND latency_ms <= 3000, asked, 0)),
    sum(iif(is_first AND latency_ms > 3000 AND latency_ms <= 5000, asked, 0)),
    sum(iif(is_first AND latency_ms > 5000 AND latency_ms <= 7000, asked, 0)),
    sum(iif(is_first AND latency_ms > 7000 AND latency_ms <= 10000, asked, 0)),
    sum(iif(is_first AND latency_ms > 10000 AND latency_ms <= 15000, asked, 0)),
    sum(iif(is_first AND latency_ms > 15000 AND latency_ms <= 20000, asked, 0)),
    sum(iif(is_first AND latency_ms > 20000 AND latency_ms <= 30000, asked, 0)),
    sum(iif(is_first AND latency_ms > 30000 AND latency_ms <= 60000, asked, 0)),
    sum(iif(is_first AND latency_ms > 60000, asked, 0))
  FROM shares GROUP BY 1, 2, 3, 4, 5, 6, 7, 8, 9;
  `,
  ...BATCH_MIGRATIONS,
  ...SUMS_MIGRATIONS,
  `
  -- When a route last left the space: vectors cached before are not found any more.
  ALTER TABLE spaces ADD COLUMN drifted_at INTEGER;
  `,
  `
  -- Invoices by day and model, as they were summed when the sums by time of that day were those of sums.
  CREATE TABLE invoice_days (
    workspace              TEXT NOT NULL,
    day                    INTEGER NOT NULL,
    model                  TEXT NOT NULL,
    sums                   TEXT NOT NULL,
    requests               INTEGER NOT NULL,
    tokens_billed          INTEGER NOT NULL,
    least_price            INTEGER,
    most_price             INTEGER,
    cost_pico_usd          INTEGER NOT NULL,
    micro_credits          INTEGER NOT NULL,
    femto_credits_rounded  INTEGER NOT NULL,
    PRIMARY KEY (workspace, day, model)
  ) STRICT, WITHOUT ROWID;
  `,
  ...GROUP_MIGRATIONS,
];
