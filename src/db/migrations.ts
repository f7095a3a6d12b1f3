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
];
