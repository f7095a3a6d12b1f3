/**
 * The SQLite file of the disk cache: creates it, tells ours from foreign files, reads, writes, and keeps it within its size limit.
 * Every call here is a short piece of blocking work; disk.ts decides when to call, and what to do if it fails. A change of the
 * tables raises FILE_FORMAT: files of another format are replaced by an empty one.
 */
import { Database } from "bun:sqlite";
import { closeSync, existsSync, openSync, readSync, rmSync } from "node:fs";
import { makePrivate } from "../machine/private-files";
import type { CacheKey } from "./entry";
import { ROW_FORMAT } from "./row";

/** "EMBC": marks a file as ours to replace. */
const APPLICATION_ID = 0x454d4243;
/** Its offset in the header of every SQLite file. */
const APPLICATION_ID_AT = 68;
const FILE_FORMAT = 1_000 * ROW_FORMAT + 1;
const PAGE_BYTES = 4096;
/** A SELECT of this many keys reads about 2 MB of typical vectors. */
const KEYS_IN_A_SELECT = 256;
/** Pages kept in memory: a key's page is read when it is looked up, and needed again when its row is written a moment later. */
const PAGES_KEPT_KB = 8_192;
const ROWS_IN_AN_EVICTION = 256;

// `used` is in microseconds since 1970, so that uses within one millisecond keep their order.
const TABLE =
  "CREATE TABLE entries (key BLOB PRIMARY KEY, used INTEGER NOT NULL, row BLOB NOT NULL) WITHOUT ROWID";
const INDEX = "CREATE INDEX entries_by_use ON entries (used)";

export interface Change {
  readonly key: CacheKey;
  /** Null deletes the row, undefined only updates `used`. */
  readonly row: Uint8Array | null | undefined;
  readonly used: number;
}

export interface DiskFile {
  /** The rows found, with their key's digits; they are not validated yet. */
  read(keys: readonly CacheKey[]): readonly { readonly key: CacheKey; readonly row: unknown }[];
  /** One transaction. False: space was freed, but not enough yet; nothing was written, and the call must be repeated. */
  write(changes: readonly Change[]): boolean;
  /** Gives space back after the limit was lowered, a bounded part at a time. True: there is more to do. */
  shrink(): boolean;
  /** Bytes in use. */
  bytes(): number;
  close(): void;
}

/** What an SQLite error means: wait a little, replace the file, or work without it. */
export type Fault = "locked" | "damaged" | "unusable";

export function faultOf(cause: unknown): Fault {
  const code = cause instanceof Error && "code" in cause ? String(cause.code) : "";
  if (/^SQLITE_(BUSY|LOCKED)/.test(code)) return "locked";
  // With a damaged schema a table or column is missing, which is a plain SQLITE_ERROR.
  return /^SQLITE_(CORRUPT|NOTADB|FORMAT|ERROR|MISMATCH|CONSTRAINT)/.test(code) ? "damaged" : "unusable";
}

/**
 * Deletes the file and SQLite's files beside it: a log that is left would be applied to the next file with this name.
 * @throws Error for a database of another program, which is kept, even if it is damaged
 */
export function deleteFile(path: string): void {
  if (isOfSomethingElse(path)) throw new Error("it is a damaged database of something else");
  for (const suffix of ["", "-wal", "-shm", "-journal"]) rmSync(`${path}${suffix}`, { force: true });
}

/** Decides by the file's first bytes only, since SQLite does not open a damaged file. A file without SQLite's header is not a database. */
function isOfSomethingElse(path: string): boolean {
  if (!existsSync(path)) return false;
  const start = Buffer.alloc(APPLICATION_ID_AT + 4);
  const file = openSync(path, "r");
  try {
    const whole = readSync(file, start, 0, start.length, 0) === start.length;
    return (
      whole &&
      start.toString("latin1", 0, 15) === "SQLite format 3" &&
      start.readUInt32BE(APPLICATION_ID_AT) !== APPLICATION_ID
    );
  } finally {
    closeSync(file);
  }
}

/**
 * @param bytesMax limit of the file and its log together
 * @throws Error of any `Fault`, by `faultOf`
 */
export function openFile(path: string, bytesMax: number): DiskFile {
  makePrivate(path);
  const database = new Database(path, { create: true, strict: true });
  try {
    // No busy handler: it would sleep inside the call and block every request.
    database.run("PRAGMA busy_timeout = 0");
    database.run("PRAGMA trusted_schema = OFF");
    database.run("PRAGMA cell_size_check = ON");
    makeOurs(database, path);
    const pagesMax = Math.floor(bytesMax / PAGE_BYTES);
    // The log needs space for the pages of one checkpoint and of one transaction: both are deducted from the file's share.
    const logPages = Math.min(1_000, Math.floor(pagesMax / 8));
    // Waiting for the disk would stop every request. After a power failure a damaged file is replaced, and each row proves itself (row.ts).
    database.run("PRAGMA synchronous = OFF");
    database.run(`PRAGMA cache_size = -${PAGES_KEPT_KB}`);
    database.run(`PRAGMA wal_autocheckpoint = ${logPages}`);
    database.run(`PRAGMA journal_size_limit = ${logPages * PAGE_BYTES}`);
    return withDatabase(database, pagesMax - 3 * logPages, logPages);
  } catch (cause) {
    database.close();
    throw cause;
  }
}

/** Creates the tables in an empty database. @throws an error that `faultOf` calls damaged if the file must be replaced */
function makeOurs(database: Database, path: string): void {
  if (schemaOf(database).length === 0 && [0, APPLICATION_ID].includes(applicationOf(database))) {
    // Only possible before the first page is written, and outside a transaction.
    database.run("PRAGMA auto_vacuum = INCREMENTAL");
    // Before there is a log: whatever happens, the file itself must show whose it is.
    database.run(`PRAGMA application_id = ${APPLICATION_ID}`);
    database.query("PRAGMA journal_mode = WAL").all();
    database
      .transaction(() => {
        // Another process may have been faster.
        if (schemaOf(database).length > 0) return;
        database.run(TABLE);
        database.run(INDEX);
        database.run(`PRAGMA user_version = ${FILE_FORMAT}`);
      })
      .immediate();
  }
  // A database of another program is never deleted: it could be anything, even the ledger.
  if (applicationOf(database) !== APPLICATION_ID) throw new Error(`${path} is a database of something else`);
  const schema = schemaOf(database);
  const format = numberOf(database, "user_version");
  const sound = format === FILE_FORMAT && schema.includes(TABLE) && schema.includes(INDEX);
  if (!sound) throw Object.assign(new Error("it is of another version"), { code: "SQLITE_FORMAT" });
}

function schemaOf(database: Database): readonly unknown[] {
  const rows = database.query<{ sql: unknown }, []>("SELECT sql FROM sqlite_schema").all();
  return rows.map(({ sql }) => sql);
}

const applicationOf = (database: Database) => numberOf(database, "application_id");

function numberOf(database: Database, pragma: string): number {
  const row = database.query<Record<string, unknown>, []>(`PRAGMA ${pragma}`).get();
  return Number(row?.[pragma] ?? 0);
}

function withDatabase(database: Database, pagesMax: number, logPages: number): DiskFile {
  const select = database.query<{ key: unknown; row: unknown }, [string]>(
    "SELECT key, row FROM entries WHERE key IN (SELECT unhex(value) FROM json_each(?1))",
  );
  const selectOne = database.query<{ row: unknown }, [Uint8Array]>("SELECT row FROM entries WHERE key = ?1");
  const put = database.query<unknown, [Uint8Array, number, Uint8Array]>(
    "INSERT INTO entries (key, used, row) VALUES (?1, ?2, ?3) ON CONFLICT (key) DO UPDATE SET used = excluded.used, row = excluded.row",
  );
  const use = database.query<unknown, [Uint8Array, number]>("UPDATE entries SET used = ?2 WHERE key = ?1");
  const remove = database.query<unknown, [Uint8Array]>("DELETE FROM entries WHERE key = ?1");
  const oldest = database.query<{ key: Uint8Array; bytes: number }, [number]>(
    "SELECT key, length(row) AS bytes FROM entries ORDER BY used LIMIT ?1",
  );

  const pages = () => numberOf(database, "page_count");
  const usedPages = () => pages() - numberOf(database, "freelist_count");

  /** True if enough pages are free; otherwise deletes one batch of the oldest rows. */
  function hasRoom(pagesNeeded: number): boolean {
    if (usedPages() + pagesNeeded <= pagesMax) return true;
    let freed = 0;
    for (const { key, bytes } of oldest.all(ROWS_IN_AN_EVICTION)) {
      remove.run(key);
      freed += pagesOf(bytes);
      // Frees part of the log's share: more than is needed now, so that not every write has to free space.
      if (freed > logPages / 2) break;
    }
    // Nothing left to delete: the rest of the space is not ours to free.
    return freed === 0 || usedPages() + pagesNeeded <= pagesMax;
  }

  return {
    read(keys) {
      const [key] = keys;
      if (key !== undefined && keys.length === 1) {
        const found = selectOne.get(Buffer.from(key, "hex"));
        return found ? [{ key, row: found.row }] : [];
      }
      const found: { key: CacheKey; row: unknown }[] = [];
      for (let start = 0; start < keys.length; start += KEYS_IN_A_SELECT) {
        for (const { key, row } of select.all(JSON.stringify(keys.slice(start, start + KEYS_IN_A_SELECT)))) {
          if (key instanceof Uint8Array) found.push({ key: Buffer.from(key).toString("hex"), row });
        }
      }
      return found;
    },
    write: (changes) =>
      database
        .transaction(() => {
          let pagesNeeded = 0;
          for (const { row } of changes) if (row) pagesNeeded += pagesOf(row.byteLength);
          if (pagesNeeded > 0 && !hasRoom(Math.ceil(pagesNeeded))) return false;
          for (const { key, row, used } of changes) {
            const bytes = Buffer.from(key, "hex");
            if (row) put.run(bytes, used, row);
            else if (row === null) remove.run(bytes);
            else use.run(bytes, used);
          }
          return true;
        })
        .immediate(),
    shrink() {
      const before = pages();
      if (before <= pagesMax) return false;
      return database
        .transaction(() => {
          const wasUsed = usedPages();
          hasRoom(0);
          database.query(`PRAGMA incremental_vacuum(${Math.max(1, Math.floor(logPages / 4))})`).all();
          const progress = pages() < before || usedPages() < wasUsed;
          return progress && pages() > pagesMax;
        })
        .immediate();
    },
    bytes: () => usedPages() * PAGE_BYTES,
    close: () => database.close(),
  };
}

/** A long row has pages of its own in addition to its place in the tree; short rows share pages that are two thirds full. */
function pagesOf(rowBytes: number): number {
  const inTree = Math.min(rowBytes + 120, 1_000) / (PAGE_BYTES * 0.6);
  return rowBytes > 800 ? inTree + Math.ceil(rowBytes / (PAGE_BYTES - 4)) : inTree;
}
