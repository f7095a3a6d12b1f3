/**
 * The database's shape, one step a version. Append only: a step that was released is never edited, because databases have run it.
 * Money is whole pico-USD (10⁻¹² USD) so that no price is rounded: 0.02 USD per million tokens is 20,000 a token.
 */
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
];
