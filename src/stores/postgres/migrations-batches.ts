/**
 * The migration that added batches to PostgreSQL, as part of MIGRATIONS (migrations.ts). Never change a released step: append a new one there.
 * src/db/migrations-batches.ts describes the columns.
 */
export const BATCH_MIGRATIONS: readonly string[] = [
  `
  -- process: the instance that made it, so that one whose batch was never created can be given back once that instance is gone.
  CREATE TABLE @reserves (
    id             text PRIMARY KEY,
    workspace      text NOT NULL,
    micro_credits  bigint NOT NULL CHECK (micro_credits >= 0),
    pico_usd       bigint NOT NULL CHECK (pico_usd >= 0),
    process        text
  ) WITH (fillfactor = 50);

  ALTER TABLE @ledger ADD COLUMN batch text;
  CREATE INDEX ledger_by_batch ON @ledger (batch, status) WHERE batch IS NOT NULL;

  CREATE TABLE @files (
    id          text COLLATE "C" PRIMARY KEY,
    workspace   text NOT NULL,
    filename    text NOT NULL,
    purpose     text NOT NULL,
    bytes       bigint NOT NULL CHECK (bytes >= 0),
    created_at  bigint NOT NULL,
    expires_at  bigint
  );
  CREATE INDEX files_by_workspace ON @files (workspace, id);

  CREATE TABLE @batches (
    id                    text COLLATE "C" PRIMARY KEY,
    workspace             text NOT NULL,
    key_id                text,
    input_file_id         text NOT NULL,
    metadata              text,
    status                text NOT NULL,
    errors                text,
    model                 text,
    created_at            bigint NOT NULL,
    expires_at            bigint NOT NULL,
    in_progress_at        bigint,
    finalizing_at         bigint,
    completed_at          bigint,
    failed_at             bigint,
    expired_at            bigint,
    cancelling_at         bigint,
    cancelled_at          bigint,
    lines                 bigint NOT NULL,
    lines_completed       bigint NOT NULL DEFAULT 0,
    lines_failed          bigint NOT NULL DEFAULT 0,
    tokens                bigint NOT NULL DEFAULT 0,
    output_file_id        text,
    error_file_id         text,
    output_expires_after  bigint,
    idempotency_key       text,
    request_hash          text,
    owner                 text,
    lease_ends_at         bigint
  ) WITH (fillfactor = 50);
  CREATE INDEX batches_by_workspace ON @batches (workspace, id);
  CREATE INDEX batches_open ON @batches (created_at) WHERE status IN ('validating', 'in_progress', 'finalizing', 'cancelling');
  CREATE UNIQUE INDEX batches_by_idempotency_key ON @batches (workspace, idempotency_key) WHERE idempotency_key IS NOT NULL;

  CREATE TABLE @upstream_batches (
    tag          text PRIMARY KEY,
    batch        text NOT NULL,
    place        bigint NOT NULL,
    provider     text NOT NULL,
    model        text NOT NULL,
    words        text NOT NULL,
    from_line    bigint NOT NULL,
    to_line      bigint NOT NULL,
    upstream_id  text,
    has_ended    boolean NOT NULL DEFAULT false
  );
  CREATE INDEX upstream_batches_by_batch ON @upstream_batches (batch, place);
  `,
];
