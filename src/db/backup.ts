/**
 * A copy of the database while others write to it, and what must hold before a file takes the database's place. SQLite only: PostgreSQL
 * has tools of its own.
 */
import { Database } from "bun:sqlite";
import { chownSync, closeSync, existsSync, fsyncSync, openSync, renameSync, rmSync, statSync } from "node:fs";
import { dirname } from "node:path";
import { GatewayError } from "../domain/errors";
import { PRIVATE_FILE } from "../machine/private-files";
import { MIGRATIONS } from "./migrations";
import { unavailable } from "./writer";

export interface Checked {
  /** Of the schema: as many steps of migrations.ts. */
  readonly version: number;
  readonly ledger_rows: number;
  readonly keys: number;
}

/**
 * One moment of the database, whole, in a file that only its owner can read: under its name only once it was checked and is on the disk.
 * Writers go on meanwhile.
 * @throws GatewayError database_unavailable; where `to` exists
 */
export function backUp(from: string, to: string): Checked {
  if (existsSync(to)) throw new GatewayError("database_unavailable", `${to} exists: name another file.`);
  const partial = `${to}.partial`;
  try {
    rmSync(partial, { force: true });
    // Made here, so that at no time others can read it. SQLite fills a file that is empty.
    closeSync(openSync(partial, "wx", PRIVATE_FILE));
    const database = new Database(from, { readonly: true });
    try {
      database.query("VACUUM INTO ?").run(partial);
    } finally {
      database.close();
    }
    const checked = checkBackup(partial);
    flush(partial);
    renameSync(partial, to);
    flush(dirname(to));
    return checked;
  } catch (cause) {
    throw orUnavailable(`The database ${from} could not be backed up to ${to}`, cause);
  } finally {
    rmSync(partial, { force: true });
  }
}

/**
 * Whether a file is a whole database of this embedgate or an older one. It is not changed.
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

/** What belongs to a database file by its name. */
const BESIDE = ["", "-wal", "-shm"] as const;

/**
 * A checked copy in the database's place. The database that was there is kept under another name, its log with it; its disk cache is
 * deleted, since it holds vectors that the older references of embedding spaces may not vouch for.
 * @param kept the name that the old database gets
 * @throws GatewayError database_unavailable where a program has it open, or the file is not whole
 */
export function restoreDatabase(from: string, path: string, kept: string): Checked {
  const checked = checkBackup(from);
  if (existsSync(kept)) throw new GatewayError("database_unavailable", `${kept} exists.`);
  const next = `${path}.restored`;
  const free = existsSync(path) ? lockAlone(path) : () => undefined;
  try {
    rmSync(next, { force: true });
    closeSync(openSync(next, "wx", PRIVATE_FILE));
    const source = new Database(from, { readonly: true });
    try {
      source.query("VACUUM INTO ?").run(next);
    } finally {
      source.close();
    }
    // As root it would be root's, and the gateway's own user could not open it.
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
 * Whoever has the database open holds a lock on it, in WAL too: nobody does where it can be had alone.
 * @returns what lets go of it
 */
function lockAlone(path: string): () => void {
  const database = new Database(path);
  try {
    database.run("PRAGMA busy_timeout = 0");
    database.run("PRAGMA locking_mode = EXCLUSIVE");
    // In this mode the lock stays when the transaction ends.
    database.run("BEGIN IMMEDIATE");
    database.run("COMMIT");
    database.run("PRAGMA wal_checkpoint(TRUNCATE)");
    return () => database.close();
  } catch (cause) {
    database.close();
    const code = cause instanceof Error && "code" in cause ? String(cause.code) : "";
    // A damaged one is what a restore is for.
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
