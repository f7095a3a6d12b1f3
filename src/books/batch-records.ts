/**
 * Files and batches in the database: all of their SQL, except for holds and charges, which belong to the ledger. File contents lie in a
 * folder (src/batches/folder.ts). A new member of a batch is a column here, and a migration (src/db/migrations.ts).
 */
import type { Store } from "../db/open";

export interface FileRecord {
  readonly id: string;
  readonly workspace: string;
  readonly filename: string;
  readonly purpose: "batch" | "batch_output";
  readonly bytes: number;
  readonly created_at: number;
  readonly expires_at: number | null;
}

export type Status =
  | "validating"
  | "failed"
  | "in_progress"
  | "finalizing"
  | "completed"
  | "expired"
  | "cancelling"
  | "cancelled";

/** Batches with work left to do. */
export const OPEN = "status IN ('validating', 'in_progress', 'finalizing', 'cancelling')";

/** Times in milliseconds since 1970. */
export interface BatchRecord {
  readonly id: string;
  readonly workspace: string;
  readonly key_id: string | null;
  readonly input_file_id: string;
  /** JSON. */
  readonly metadata: string | null;
  readonly status: Status;
  /** JSON: a list of the errors in the input file. */
  readonly errors: string | null;
  /** The model, if all lines ask for the same one. */
  readonly model: string | null;
  readonly created_at: number;
  readonly expires_at: number;
  readonly in_progress_at: number | null;
  readonly finalizing_at: number | null;
  readonly completed_at: number | null;
  readonly failed_at: number | null;
  readonly expired_at: number | null;
  readonly cancelling_at: number | null;
  readonly cancelled_at: number | null;
  readonly lines: number;
  readonly lines_completed: number;
  readonly lines_failed: number;
  readonly tokens: number;
  readonly output_file_id: string | null;
  readonly error_file_id: string | null;
  /** Milliseconds after the creation of the file. */
  readonly output_expires_after: number | null;
  readonly idempotency_key: string | null;
  readonly request_hash: string | null;
}

/** What changes while the batch is processed. */
export type BatchChange = Partial<Omit<BatchRecord, "id" | "workspace" | "created_at">>;

export interface PageOf {
  readonly after: string | undefined;
  readonly limit: number;
  readonly order: "asc" | "desc";
}

export interface BatchRecords {
  putFile(file: FileRecord): Promise<void>;
  /** A file of one workspace; undefined if it has expired. */
  file(id: string, workspace: string, now: number): Promise<FileRecord | undefined>;
  files(
    workspace: string,
    purpose: string | undefined,
    now: number,
    page: PageOf,
  ): Promise<readonly FileRecord[]>;
  /** The size of all files of the workspace. */
  bytesOf(workspace: string): Promise<number>;
  /** @returns the open batch that reads the file: in that case the file is not removed */
  removeFile(id: string): Promise<string | undefined>;
  /** Removes expired files that no open batch reads. @returns their ids */
  takeExpired(now: number): Promise<readonly string[]>;
  /** Whether a file or an open batch has this id. */
  isKnown(id: string): Promise<boolean>;

  /** @returns false if a batch with the same Idempotency-Key exists: nothing was done */
  putBatch(batch: BatchRecord): Promise<boolean>;
  batch(id: string, workspace?: string): Promise<BatchRecord | undefined>;
  batches(workspace: string, page: PageOf): Promise<readonly BatchRecord[]>;
  byIdempotencyKey(workspace: string, key: string): Promise<BatchRecord | undefined>;
  change(id: string, change: BatchChange): Promise<void>;
  /** Marks that the batch's lines have begun. */
  begin(id: string, at: number): Promise<void>;
  /** Marks that the batch's lines are done. @returns false if the batch is being cancelled: nothing was changed */
  finalize(id: string, at: number): Promise<boolean>;
  /** Asks whoever runs the batch to cancel it. @returns whether it was open and not being cancelled yet */
  cancel(id: string, at: number): Promise<boolean>;

  /**
   * Takes the next batch without a lease; workspaces with the fewest running batches come first.
   * @param now by the owner's clock; a database that several machines share uses its own clock
   */
  claim(owner: string, now: number, leaseMs: number): Promise<BatchRecord | undefined>;
  /** @returns false if another owner has the lease now */
  renew(id: string, owner: string, now: number, leaseMs: number): Promise<boolean>;
  /** Ends leases, so that others may continue the batches at once. @param owner undefined: whoever owns them */
  leave(owner: string | undefined, id?: string): Promise<void>;
  /** How many batches are open, in all processes. */
  countOpen(): Promise<number>;
}

type Value = string | number | bigint | null;
type Row<Of> = { readonly [Name in keyof Of]: Of[Name] extends number ? bigint : Of[Name] | bigint };

export const FILE_COLUMNS = [
  "id",
  "workspace",
  "filename",
  "purpose",
  "bytes",
  "created_at",
  "expires_at",
] as const satisfies readonly (keyof FileRecord)[];
export const BATCH_COLUMNS = [
  "id",
  "workspace",
  "key_id",
  "input_file_id",
  "metadata",
  "status",
  "errors",
  "model",
  "created_at",
  "expires_at",
  "in_progress_at",
  "finalizing_at",
  "completed_at",
  "failed_at",
  "expired_at",
  "cancelling_at",
  "cancelled_at",
  "lines",
  "lines_completed",
  "lines_failed",
  "tokens",
  "output_file_id",
  "error_file_id",
  "output_expires_after",
  "idempotency_key",
  "request_hash",
] as const satisfies readonly (keyof BatchRecord)[];

export function openBatchRecords({
  database,
  read,
  write,
}: Pick<Store, "database" | "read" | "write">): BatchRecords {
  const insertFile = insertInto("files", FILE_COLUMNS);
  const insertBatch = `${insertInto("batches", BATCH_COLUMNS)} ON CONFLICT DO NOTHING`;
  const one = <Of>(sql: string, ...values: Value[]) =>
    plain(database.query<Row<Of>, Value[]>(sql).get(...values)) as Of | undefined;
  const all = <Of>(sql: string, ...values: Value[]) =>
    database
      .query<Row<Of>, Value[]>(sql)
      .all(...values)
      .map(plain) as Of[];
  const run = (sql: string, ...values: Value[]) =>
    Number(database.query<unknown, Value[]>(sql).run(...values).changes);
  const there = "(expires_at IS NULL OR expires_at > ?)";
  const pageOf = ({ after, limit, order }: PageOf): readonly [sql: string, ...values: Value[]] => {
    const beyond = after === undefined ? "" : ` AND id ${order === "asc" ? ">" : "<"} ?`;
    const sql = `${beyond} ORDER BY id ${order === "asc" ? "ASC" : "DESC"} LIMIT ?`;
    return after === undefined ? [sql, limit] : [sql, after, limit];
  };

  return {
    putFile: (file) => write(() => void run(insertFile, ...FILE_COLUMNS.map((column) => file[column]))),
    file: async (id, workspace, now) =>
      read(() =>
        one<FileRecord>(
          `SELECT * FROM files WHERE id = ? AND workspace = ? AND ${there}`,
          id,
          workspace,
          now,
        ),
      ),
    async files(workspace, purpose, now, page) {
      const [sql, ...values] = pageOf(page);
      const only = purpose === undefined ? "" : " AND purpose = ?";
      const wanted = purpose === undefined ? [] : [purpose];
      const query = `SELECT * FROM files WHERE workspace = ? AND ${there}${only}${sql}`;
      return read(() => all<FileRecord>(query, workspace, now, ...wanted, ...values));
    },
    bytesOf: async (workspace) =>
      read(
        () =>
          one<{ sum: number }>(
            "SELECT coalesce(sum(bytes), 0) AS sum FROM files WHERE workspace = ?",
            workspace,
          )?.sum ?? 0,
      ),
    removeFile: (id) =>
      write(() => {
        const reader = one<{ id: string }>(
          `SELECT id FROM batches WHERE input_file_id = ? AND ${OPEN} LIMIT 1`,
          id,
        );
        if (!reader) run("DELETE FROM files WHERE id = ?", id);
        return reader?.id;
      }),
    takeExpired: (now) =>
      write(() =>
        all<{ id: string }>(
          `DELETE FROM files WHERE expires_at <= ? AND id NOT IN (SELECT input_file_id FROM batches WHERE ${OPEN}) RETURNING id`,
          now,
        ).map(({ id }) => id),
      ),
    isKnown: async (id) =>
      read(
        () =>
          one("SELECT 1 AS found FROM files WHERE id = ?", id) !== undefined ||
          one(`SELECT 1 AS found FROM batches WHERE id = ? AND ${OPEN}`, id) !== undefined,
      ),

    putBatch: (batch) => write(() => run(insertBatch, ...BATCH_COLUMNS.map((column) => batch[column])) === 1),
    batch: async (id, workspace) =>
      read(() =>
        workspace === undefined
          ? one<BatchRecord>("SELECT * FROM batches WHERE id = ?", id)
          : one<BatchRecord>("SELECT * FROM batches WHERE id = ? AND workspace = ?", id, workspace),
      ),
    async batches(workspace, page) {
      const [sql, ...values] = pageOf(page);
      return read(() =>
        all<BatchRecord>(`SELECT * FROM batches WHERE workspace = ?${sql}`, workspace, ...values),
      );
    },
    byIdempotencyKey: async (workspace, key) =>
      read(() =>
        one<BatchRecord>("SELECT * FROM batches WHERE workspace = ? AND idempotency_key = ?", workspace, key),
      ),
    async change(id, change) {
      const columns = Object.entries(change).filter(([, value]) => value !== undefined);
      const set = columns.map(([column]) => `${column} = ?`).join(", ");
      await write(() =>
        run(`UPDATE batches SET ${set} WHERE id = ?`, ...columns.map(([, value]) => value), id),
      );
    },
    begin: (id, at) =>
      write(
        () =>
          void run(
            "UPDATE batches SET status = 'in_progress', in_progress_at = ? WHERE id = ? AND status = 'validating'",
            at,
            id,
          ),
      ),
    finalize: (id, at) =>
      write(
        () =>
          run(
            "UPDATE batches SET status = 'finalizing', finalizing_at = ? WHERE id = ? AND status IN ('in_progress', 'finalizing')",
            at,
            id,
          ) === 1,
      ),
    cancel: (id, at) =>
      write(
        () =>
          run(
            "UPDATE batches SET status = 'cancelling', cancelling_at = ? WHERE id = ? AND status IN ('validating', 'in_progress')",
            at,
            id,
          ) === 1,
      ),

    claim: (owner, now, leaseMs) =>
      write(() => {
        const free = `${OPEN} AND (owner IS NULL OR lease_ends_at <= ?)`;
        const next = one<{ id: string }>(
          `SELECT id FROM batches AS one WHERE ${free} ORDER BY
             (SELECT count(*) FROM batches AS other WHERE other.workspace = one.workspace AND other.${OPEN}
                AND other.owner IS NOT NULL AND other.lease_ends_at > ?), created_at LIMIT 1`,
          now,
          now,
        );
        if (!next) return undefined;
        run("UPDATE batches SET owner = ?, lease_ends_at = ? WHERE id = ?", owner, now + leaseMs, next.id);
        return one<BatchRecord>("SELECT * FROM batches WHERE id = ?", next.id);
      }),
    renew: (id, owner, now, leaseMs) =>
      write(
        () =>
          run("UPDATE batches SET lease_ends_at = ? WHERE id = ? AND owner = ?", now + leaseMs, id, owner) ===
          1,
      ),
    leave(owner, id) {
      const whose = owner === undefined ? "owner IS NOT NULL" : "owner = ?";
      const which = id === undefined ? "" : " AND id = ?";
      const values = [owner, id].filter((value) => value !== undefined);
      const sql = `UPDATE batches SET owner = NULL, lease_ends_at = NULL WHERE ${whose}${which}`;
      return write(() => void run(sql, ...values));
    },
    countOpen: async () =>
      read(() => one<{ count: number }>(`SELECT count(*) AS count FROM batches WHERE ${OPEN}`)?.count ?? 0),
  };
}

const insertInto = (table: string, columns: readonly string[]) =>
  `INSERT INTO ${table} (${columns.join(", ")}) VALUES (${columns.map(() => "?").join(", ")})`;

/** SQLite's integers arrive as bigints; all of these fit into a number. */
function plain(row: object | null | undefined): unknown {
  if (!row) return undefined;
  return Object.fromEntries(
    Object.entries(row).map(([name, value]) => [name, typeof value === "bigint" ? Number(value) : value]),
  );
}
