/**
 * The migration steps for batches: reserves, files, and leases. Part of MIGRATIONS (migrations.ts), where their position is fixed.
 */
export const BATCH_MIGRATIONS: readonly string[] = [
  `
  -- What a batch holds of its workspace's credits and caps for lines that are not begun yet: part of the workspace's own *_held.
  CREATE TABLE reserves (
    id             TEXT PRIMARY KEY,
    workspace      TEXT NOT NULL,
    micro_credits  INTEGER NOT NULL CHECK (micro_credits >= 0),
    pico_usd       INTEGER NOT NULL CHECK (pico_usd >= 0)
  ) STRICT, WITHOUT ROWID;

  -- The batch that the request is a line of: its hold comes from the batch's reserve, and goes back there where a crash ended it.
  ALTER TABLE ledger ADD COLUMN batch TEXT;
  CREATE INDEX ledger_by_batch ON ledger (batch, status) WHERE batch IS NOT NULL;
  `,
  `
  -- Files of batches: what they hold lies in a folder, by the id. Ids grow with time.
  CREATE TABLE files (
    id          TEXT PRIMARY KEY,
    workspace   TEXT NOT NULL,
    filename    TEXT NOT NULL,
    purpose     TEXT NOT NULL,
    bytes       INTEGER NOT NULL CHECK (bytes >= 0),
    created_at  INTEGER NOT NULL,
    expires_at  INTEGER
  ) STRICT, WITHOUT ROWID;
  CREATE INDEX files_by_workspace ON files (workspace, id);

  -- A batch, as OpenAI's object has it (times in ms since 1970), who works on it, and until when nobody else may.
  CREATE TABLE batches (
    id                    TEXT PRIMARY KEY,
    workspace             TEXT NOT NULL,
    key_id                TEXT,
    input_file_id         TEXT NOT NULL,
    metadata              TEXT,
    status                TEXT NOT NULL,
    errors                TEXT,
    model                 TEXT,
    created_at            INTEGER NOT NULL,
    expires_at            INTEGER NOT NULL,
    in_progress_at        INTEGER,
    finalizing_at         INTEGER,
    completed_at          INTEGER,
    failed_at             INTEGER,
    expired_at            INTEGER,
    cancelling_at         INTEGER,
    cancelled_at          INTEGER,
    lines                 INTEGER NOT NULL,
    lines_completed       INTEGER NOT NULL DEFAULT 0,
    lines_failed          INTEGER NOT NULL DEFAULT 0,
    tokens                INTEGER NOT NULL DEFAULT 0,
    output_file_id        TEXT,
    error_file_id         TEXT,
    output_expires_after  INTEGER,
    idempotency_key       TEXT,
    request_hash          TEXT,
    owner                 TEXT,
    lease_ends_at         INTEGER
  ) STRICT, WITHOUT ROWID;
  CREATE INDEX batches_by_workspace ON batches (workspace, id);
  CREATE INDEX batches_open ON batches (created_at) WHERE status IN ('validating', 'in_progress', 'finalizing', 'cancelling');
  CREATE UNIQUE INDEX batches_by_idempotency_key ON batches (workspace, idempotency_key) WHERE idempotency_key IS NOT NULL;
  `,
  `
  -- What of a batch was handed to a provider's own batch service. upstream_id: NULL from when it is about to be submitted until it is known to be.
  CREATE TABLE upstream_batches (
    tag          TEXT PRIMARY KEY,
    batch        TEXT NOT NULL,
    place        INTEGER NOT NULL,
    provider     TEXT NOT NULL,
    model        TEXT NOT NULL,
    -- Of the batch's input: those lines of the range that ask this model of this provider in these words (a hash of all but their inputs).
    words        TEXT NOT NULL,
    from_line    INTEGER NOT NULL,
    to_line      INTEGER NOT NULL,
    upstream_id  TEXT,
    has_ended    INTEGER NOT NULL DEFAULT 0 CHECK (has_ended IN (0, 1))
  ) STRICT, WITHOUT ROWID;
  CREATE INDEX upstream_batches_by_batch ON upstream_batches (batch, place);
  `,
];
