/**
 * Files and batches in PostgreSQL. src/books/batch-records.ts defines what each method promises. When another process's claim on a batch ends
 * goes by the database's clock. Each method is one statement, and idempotent.
 */
import {
  BATCH_COLUMNS,
  type BatchRecord,
  type BatchRecords,
  FILE_COLUMNS,
  type FileRecord,
  OPEN,
  type PageOf,
} from "../../books/batch-records";
import { type Base, storable } from "./base";
import { timeOf } from "./clock";
import type { Parameter } from "./connection";

const insertInto = (table: string, columns: readonly string[]) =>
  `INSERT INTO @${table} (${columns.join(", ")}) VALUES (${columns.map((_, i) => `$${i + 1}`).join(", ")}) ON CONFLICT DO NOTHING RETURNING 1`;
const INSERT_FILE = insertInto("files", FILE_COLUMNS);
const INSERT_BATCH = insertInto("batches", BATCH_COLUMNS);
const BATCH = BATCH_COLUMNS.join(", ");

/** $1 the time, $2 the owner, $3 for how many milliseconds. Of two processes that claim at the same time each gets another batch. */
const CLAIM = `
  WITH next AS (
    SELECT id FROM @batches AS one WHERE ${OPEN} AND (owner IS NULL OR lease_ends_at <= ${timeOf("$1")})
    ORDER BY (SELECT count(*) FROM @batches AS other WHERE other.workspace = one.workspace AND other.${OPEN}
        AND other.owner IS NOT NULL AND other.lease_ends_at > ${timeOf("$1")}), created_at
    LIMIT 1 FOR UPDATE OF one SKIP LOCKED)
  UPDATE @batches SET owner = $2, lease_ends_at = ${timeOf("$1")} + $3::bigint
  WHERE id = (SELECT id FROM next) RETURNING ${BATCH}`;

/** A file is not removed while an open batch reads it. */
const REMOVE_FILE = `
  WITH reader AS (SELECT id FROM @batches WHERE input_file_id = $1 AND ${OPEN} LIMIT 1),
  removed AS (DELETE FROM @files WHERE id = $1 AND NOT EXISTS (SELECT 1 FROM reader))
  SELECT id FROM reader`;

export function openPostgresBatchRecords({ pool, clock }: Base): BatchRecords {
  const all = async <Of>(sql: string, ...values: Parameter[]) => {
    const rows = await pool.run(({ query }) => query<Row<Of>>(sql, values));
    return rows.map(plain) as Of[];
  };
  const one = async <Of>(sql: string, ...values: Parameter[]) => (await all<Of>(sql, ...values))[0];
  /** @param sql ends in `RETURNING 1` @returns whether it changed a row */
  const isDone = async (sql: string, ...values: Parameter[]) => (await all(sql, ...values)).length > 0;
  const there = "(expires_at IS NULL OR expires_at > $2)";

  /** @param values the parameters that `sql` has already */
  function page<Of>(sql: string, values: readonly Parameter[], { after, limit, order }: PageOf) {
    const beyond = after === undefined ? "" : ` AND id ${order === "asc" ? ">" : "<"} $${values.length + 2}`;
    const direction = order === "asc" ? "ASC" : "DESC";
    return all<Of>(
      `${sql}${beyond} ORDER BY id ${direction} LIMIT $${values.length + 1}`,
      ...values,
      limit,
      ...(after === undefined ? [] : [storable(after)]),
    );
  }

  return {
    async putFile(file) {
      await isDone(INSERT_FILE, ...FILE_COLUMNS.map((column) => kept(file[column])));
    },
    file: (id, workspace, now) =>
      one<FileRecord>(
        `SELECT * FROM @files WHERE id = $1 AND ${there} AND workspace = $3`,
        storable(id),
        now,
        workspace,
      ),
    files: (workspace, purpose, now, asked) =>
      purpose === undefined
        ? page<FileRecord>(`SELECT * FROM @files WHERE workspace = $1 AND ${there}`, [workspace, now], asked)
        : page<FileRecord>(
            `SELECT * FROM @files WHERE workspace = $1 AND ${there} AND purpose = $3`,
            [workspace, now, storable(purpose)],
            asked,
          ),
    bytesOf: async (workspace) =>
      (
        await one<{ sum: number }>(
          "SELECT coalesce(sum(bytes), 0)::bigint AS sum FROM @files WHERE workspace = $1",
          workspace,
        )
      )?.sum ?? 0,
    removeFile: async (id) => (await one<{ id: string }>(REMOVE_FILE, id))?.id,
    takeExpired: async (now) =>
      (
        await all<{ id: string }>(
          `DELETE FROM @files WHERE expires_at <= $1 AND id NOT IN (SELECT input_file_id FROM @batches WHERE ${OPEN}) RETURNING id`,
          now,
        )
      ).map(({ id }) => id),
    isKnown: (id) =>
      isDone(
        `SELECT 1 FROM @files WHERE id = $1 UNION ALL SELECT 1 FROM @batches WHERE id = $1 AND ${OPEN}`,
        storable(id),
      ),
    namesAny: (besides) =>
      isDone(
        `SELECT 1 FROM @files WHERE id <> $1 UNION ALL SELECT 1 FROM @batches WHERE ${OPEN} LIMIT 1`,
        storable(besides),
      ),

    async putBatch(batch) {
      if (await isDone(INSERT_BATCH, ...BATCH_COLUMNS.map((column) => kept(batch[column])))) return true;
      // Ids are unique: if it exists, the first try was committed and only its acknowledgement was lost.
      return isDone("SELECT 1 FROM @batches WHERE id = $1", batch.id);
    },
    batch: (id, workspace) =>
      workspace === undefined
        ? one<BatchRecord>(`SELECT ${BATCH} FROM @batches WHERE id = $1`, storable(id))
        : one<BatchRecord>(
            `SELECT ${BATCH} FROM @batches WHERE id = $1 AND workspace = $2`,
            storable(id),
            workspace,
          ),
    batches: (workspace, asked) =>
      page<BatchRecord>(`SELECT ${BATCH} FROM @batches WHERE workspace = $1`, [workspace], asked),
    byIdempotencyKey: (workspace, key) =>
      one<BatchRecord>(
        `SELECT ${BATCH} FROM @batches WHERE workspace = $1 AND idempotency_key = $2`,
        workspace,
        storable(key),
      ),
    async change(id, change) {
      const columns = Object.entries(change).filter(([, value]) => value !== undefined);
      const set = columns.map(([column], i) => `${column} = $${i + 2}`).join(", ");
      await isDone(
        `UPDATE @batches SET ${set} WHERE id = $1 RETURNING 1`,
        id,
        ...columns.map(([, value]) => kept(value)),
      );
    },
    async begin(id, at) {
      await isDone(
        "UPDATE @batches SET status = 'in_progress', in_progress_at = $2 WHERE id = $1 AND status = 'validating' RETURNING 1",
        id,
        at,
      );
    },
    finalize: (id, at) =>
      isDone(
        "UPDATE @batches SET status = 'finalizing', finalizing_at = $2 WHERE id = $1 AND status IN ('in_progress', 'finalizing') RETURNING 1",
        id,
        at,
      ),
    cancel: (id, at) =>
      isDone(
        "UPDATE @batches SET status = 'cancelling', cancelling_at = $2 WHERE id = $1 AND status IN ('validating', 'in_progress') RETURNING 1",
        id,
        at,
      ),

    claim: (owner, _, leaseMs) => one<BatchRecord>(CLAIM, clock.at(), owner, leaseMs),
    renew: (id, owner, _, leaseMs) =>
      isDone(
        `UPDATE @batches SET lease_ends_at = ${timeOf("$1")} + $4::bigint WHERE id = $2 AND owner = $3 RETURNING 1`,
        clock.at(),
        id,
        owner,
        leaseMs,
      ),
    async leave(owner, id) {
      await isDone(
        `UPDATE @batches SET owner = NULL, lease_ends_at = NULL
         WHERE owner = coalesce($1::text, owner) AND id = coalesce($2::text, id) RETURNING 1`,
        owner ?? null,
        id ?? null,
      );
    },
    countOpen: async () =>
      (await one<{ count: number }>(`SELECT count(*) AS count FROM @batches WHERE ${OPEN}`))?.count ?? 0,
  };
}

type Row<Of> = { readonly [Name in keyof Of]: Of[Name] extends number ? bigint : Of[Name] | bigint };

const kept = (value: string | number | null) => (typeof value === "string" ? storable(value) : value);

/** PostgreSQL's whole numbers come as bigints; all of these fit a number. */
const plain = (row: object): unknown =>
  Object.fromEntries(
    Object.entries(row).map(([name, value]) => [name, typeof value === "bigint" ? Number(value) : value]),
  );
