/**
 * The migrations for sums of finished hours and days by fewer names (src/books/groupings.ts). Only append, as with all migrations (migrations.ts).
 * The tables begin empty: they are filled in the background (src/books/regrouping.ts).
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
const columns = (names: readonly string[]) => names.map((name) => `${name} INTEGER NOT NULL`).join(", ");

export const GROUP_MIGRATIONS: readonly string[] = [
  `
  -- Sums of rollups by fewer names, of the hours and days that grouped says. Latencies are those of answered requests.
  CREATE TABLE group_sums (
    grouping    TEXT NOT NULL,
    unit_ms     INTEGER NOT NULL,
    started_at  INTEGER NOT NULL,
    name_1      TEXT NOT NULL,
    name_2      TEXT NOT NULL,
    ${columns([...COUNTS, "failed", ...LATENCIES])},
    PRIMARY KEY (grouping, unit_ms, started_at, name_1, name_2)
  ) STRICT, WITHOUT ROWID;

  CREATE TABLE group_errors (
    grouping    TEXT NOT NULL,
    unit_ms     INTEGER NOT NULL,
    started_at  INTEGER NOT NULL,
    name_1      TEXT NOT NULL,
    name_2      TEXT NOT NULL,
    status      INTEGER NOT NULL,
    code        TEXT NOT NULL,
    kind        TEXT NOT NULL,
    requests    INTEGER NOT NULL,
    PRIMARY KEY (grouping, unit_ms, started_at, name_1, name_2, status, code, kind)
  ) STRICT, WITHOUT ROWID;

  -- Sums of metadata_days without the workspace: of the requests with a key, by its values, and the values with the most requests.
  CREATE TABLE metadata_key_sums (
    started_at    INTEGER NOT NULL,
    metadata_key  TEXT NOT NULL,
    status        INTEGER NOT NULL,
    code          TEXT NOT NULL,
    ${columns(COUNTS)},
    PRIMARY KEY (started_at, metadata_key, status, code)
  ) STRICT, WITHOUT ROWID;

  CREATE TABLE metadata_value_sums (
    started_at    INTEGER NOT NULL,
    metadata_key  TEXT NOT NULL,
    value         TEXT NOT NULL,
    status        INTEGER NOT NULL,
    code          TEXT NOT NULL,
    ${columns(COUNTS)},
    PRIMARY KEY (started_at, metadata_key, value, status, code)
  ) STRICT, WITHOUT ROWID;

  CREATE TABLE metadata_leading (
    started_at       INTEGER NOT NULL,
    metadata_key     TEXT NOT NULL,
    value            TEXT NOT NULL,
    requests         INTEGER NOT NULL,
    tokens_upstream  INTEGER NOT NULL,
    PRIMARY KEY (started_at, metadata_key, value)
  ) STRICT, WITHOUT ROWID;

  -- part: 'names' for group_sums and group_errors, 'invoices' for invoice_days, 'metadata' for the others. state: 0 changed since, 1 under way, 2 grouped, 3 cannot be.
  -- next_at, rows_done: how far it is.
  CREATE TABLE grouped (
    part        TEXT NOT NULL,
    unit_ms     INTEGER NOT NULL,
    started_at  INTEGER NOT NULL,
    state       INTEGER NOT NULL,
    next_at     INTEGER NOT NULL,
    rows_done   INTEGER NOT NULL,
    PRIMARY KEY (unit_ms, started_at, part)
  ) STRICT, WITHOUT ROWID;

  -- Nothing from grouped_to on is grouped, or begun to be: who changes a sum before it says so in grouped (src/books/ungrouping.ts).
  CREATE TABLE grouping (
    id          INTEGER PRIMARY KEY CHECK (id = 1),
    grouped_to  INTEGER NOT NULL
  ) STRICT;
  INSERT INTO grouping (id, grouped_to) VALUES (1, 0);
  `,
];
