/**
 * Copies the database while others write to it, and checks a file before it replaces the database. SQLite only: PostgreSQL has its
 * own tools.
 */
import { Database } from "bun:sqlite";
import { chownSync, closeSync, existsSync, fsyncSync, openSync, renameSync, rmSync, statSync } from "node:fs";
import { dirname } from "node:path";
import { GatewayError } from "../domain/errors";
import { PRIVATE_FILE } from "../machine/private-files";
import { MIGRATIONS } from "./migrations";
import { unavailable } from "./writer";

export interface Checked {
  /** Version of the schema: the number of steps of migrations.ts. */
  readonly version: number;
  readonly ledger_rows: number;
  readonly keys: number;
}

/** Files beside the database that are copied with it. */
export interface Beside {
  /** Called before the database is copied. */
  begin(): void;
  /** Called after it. @returns false if the database must be copied again, as files that its copy names are gone */
  complete(copy: string): boolean;
  /** Gives the copied files their final name. */
  finish(): void;
}

const NOTHING: Beside = { begin: () => undefined, complete: () => true, finish: () => undefined };

/** After this many copies missing files are left out. */
const ATTEMPTS_MAX = 5;

/**
 * A consistent snapshot of the database in a file that only its owner can read. The file gets its name only after it was checked and is on
 * the disk. Writers go on meanwhile.
 * @throws GatewayError database_unavailable; if `to` exists
 */
export function backUp(from: string, to: string, beside = NOTHING): Checked {
  if (existsSync(to)) throw new GatewayError("database_unavailable", `${to} exists: name another file.`);
  const partial = `${to}.partial`;
  try {
    for (let attempt = 1; ; attempt++) {
      beside.begin();
      copyNow(from, partial);
      if (beside.complete(partial) || attempt === ATTEMPTS_MAX) break;
    }
    const checked = checkBackup(partial);
    flush(partial);
    beside.finish();
    renameSync(partial, to);
    flush(dirname(to));
    return checked;
  } catch (cause) {
    throw orUnavailable(`The database ${from} could not be backed up to ${to}`, cause);
  } finally {
    rmSync(partial, { force: true });
  }
}

function copyNow(from: string, to: string): void {
  rmSync(to, { force: true });
  // Created here, so that others can never read it. SQLite fills an existing empty file.
  closeSync(openSync(to, "wx", PRIVATE_FILE));
  const database = new Database(from, { readonly: true });
  try {
    database.query("VACUUM INTO ?").run(to);
  } finally {
    database.close();
  }
}

/**
 * Checks that a file is a complete database of this embedgate version or an older one. The file is not changed.
 * @throws GatewayError database_unavailable, with what is wrong
 */
export function checkBackup(path: string): Checked {
  const wrong = (words: string) => new GatewayError("database_unavailable", `${path} ${words}.`);
  if (!existsSync(path)) throw wrong("does not exist");
  let database: Database;
  try {
    database = new Database(path, { readonly: true });
  } catch (cause) {
    throw unavailable(`${path} cannot be opened`, cause);
  }
  const numberOf = (sql: string) => Number(Object.values(Object(database.query(sql).get()))[0]);
  try {
    const result = Object(database.query("PRAGMA integrity_check(1)").get()).integrity_check;
    if (result !== "ok") throw wrong(`is damaged: ${result}`);
    const version = numberOf("PRAGMA user_version");
    const isOurs = numberOf(
      "SELECT count(*) FROM sqlite_schema WHERE type = 'table' AND name IN ('ledger', 'keys')",
    );
    if (isOurs !== 2) throw wrong("is no database of embedgate");
    if (version > MIGRATIONS.length)
      throw wrong(
        `was written by a newer embedgate (schema version ${version}, this one supports ${MIGRATIONS.length})`,
      );
    return {
      version,
      ledger_rows: numberOf("SELECT count(*) FROM ledger"),
      keys: numberOf("SELECT count(*) FROM keys"),
    };
  } catch (cause) {
    throw orUnavailable(`${path} cannot be used`, cause);
  } finally {
    database.close();
  }
}

/** Suffixes of the files that belong to a database file. */
const BESIDE = ["", "-wal", "-shm"] as const;

/**
 * Replaces the database by a checked copy. The old database is kept under another name, with its write-ahead log; its disk cache is
 * deleted, since the restored (older) references of embedding spaces may not match its vectors.
 * @param kept the name that the old database gets
 * @throws GatewayError database_unavailable if a program has the database open, or the copy is damaged
 */
export function restoreDatabase(from: string, path: string, kept: string): Checked {
  const checked = checkBackup(from);
  if (existsSync(kept)) throw new GatewayError("database_unavailable", `${kept} exists.`);
  const next = `${path}.restored`;
  const free = existsSync(path) ? lockAlone(path) : () => undefined;
  try {
    copyNow(from, next);
    // If root restores, the file would belong to root, and the gateway's own user could not open it.
    const { uid, gid } = statSync(dirname(path));
    if (process.getuid?.() === 0) chownSync(next, uid, gid);
    checkBackup(next);
    flush(next);
    for (const end of BESIDE) if (existsSync(path + end)) renameSync(path + end, kept + end);
    for (const end of BESIDE) rmSync(`${path}-cache${end}`, { force: true });
    renameSync(next, path);
    flush(dirname(path));
    return checked;
  } catch (cause) {
    throw orUnavailable(`The database ${path} could not be restored from ${from}`, cause);
  } finally {
    free();
    rmSync(next, { force: true });
  }
}

/**
 * Every program that has the database open holds a lock on it, also in WAL mode: if an exclusive lock is granted, none has it open.
 * @returns a function that releases the lock
 */
function lockAlone(path: string): () => void {
  const database = new Database(path);
  try {
    database.run("PRAGMA busy_timeout = 0");
    database.run("PRAGMA locking_mode = EXCLUSIVE");
    // In this mode the lock stays after the transaction ends.
    database.run("BEGIN IMMEDIATE");
    database.run("COMMIT");
    database.run("PRAGMA wal_checkpoint(TRUNCATE)");
    return () => database.close();
  } catch (cause) {
    database.close();
    const code = cause instanceof Error && "code" in cause ? String(cause.code) : "";
    // A damaged database is what a restore is for.
    if (!/^SQLITE_(?:BUSY|LOCKED)/.test(code)) return () => undefined;
    throw new GatewayError(
      "database_unavailable",
      `A program has the database ${path} open: stop the gateway and every command that works on it.`,
    );
  }
}

const orUnavailable = (words: string, cause: unknown) =>
  cause instanceof GatewayError ? cause : unavailable(words, cause);

function flush(path: string): void {
  const descriptor = openSync(path, "r");
  try {
    fsyncSync(descriptor);
  } finally {
    closeSync(descriptor);
  }
}
