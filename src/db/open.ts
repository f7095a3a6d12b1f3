/**
 * Opens the SQLite database: pragmas, migrations, and writes that never block the event loop on a lock.
 * The tables' contents are the business of other files (src/callers/keys.ts, src/books/ledger.ts).
 */
import { Database } from "bun:sqlite";
import { GatewayError } from "../domain/errors";
import type { Outside } from "../domain/outside";
import { makePrivate } from "../machine/private-files";
import { type Checkpoint, keepLogShort, type LogKeeper } from "./log-keeper";
import { MIGRATIONS } from "./migrations";
import { createRecent, type Recent } from "./recent";
import { createWriter, patiently, unavailable, type Writer } from "./writer";

export interface Store {
  readonly database: Database;
  /**
   * Runs `work` in a transaction, possibly shared with other writes (src/db/writer.ts). @throws GatewayError database_unavailable; whatever
   * `work` throws, in which case nothing was changed
   */
  readonly write: Writer["write"];
  /** The clock that `write` uses. */
  readonly monotonic: () => number;
  /** Runs a read-only query. In WAL mode it never waits for a writer. @throws GatewayError database_unavailable */
  read<T>(query: () => T): T;
  /** For queries that every request makes: cached until the result may have changed (src/db/recent.ts). */
  readonly once: Recent["once"];
  /** @throws GatewayError database_unavailable if the file cannot be read, another process has held a lock for too long, or the last write was refused */
  check(): void;
  close(): void;
}

/** What a committed row survives: a crash of the process, or a power failure too. */
export type Durability = "process" | "power";

/**
 * A commit that waits for no disk is not made for more writes than this: it would save nothing more, and hundreds of requests that wait for the same one
 * would go on at the same moment, in step with one another from then on, while their clients and providers have nothing to do.
 */
const WRITES_ENOUGH = 32;

/**
 * @param path a file, created with its folder if missing and readable only by its owner, or ":memory:"
 * @param checkpoint moves the write-ahead log into the database; left out: SQLite does, within a commit
 * @throws GatewayError database_unavailable
 */
export async function openStore(
  path: string,
  outside: Pick<Outside, "sleep" | "monotonic" | "random" | "turn" | "polled">,
  durability: Durability = "process",
  checkpoint?: Checkpoint,
): Promise<Store> {
  let database: Database;
  try {
    if (path !== ":memory:") makePrivate(path);
    database = new Database(path, { create: true, strict: true, safeIntegers: true });
    // No busy handler: SQLite would sleep inside the call and block every request. `write` waits outside of SQLite instead.
    database.run("PRAGMA busy_timeout = 0");
  } catch (cause) {
    throw unavailable(`The database ${path} cannot be opened`, cause);
  }
  const read = <T>(query: () => T): T => {
    try {
      return query();
    } catch (cause) {
      throw unavailable("The database cannot be read", cause);
    }
  };
  const version = database.query<{ readonly data_version: bigint }, []>("PRAGMA data_version");
  const recent = createRecent(outside, () => read(() => version.get()?.data_version));
  let log: LogKeeper | undefined;
  const { write, checkWrites } = createWriter(database, outside, {
    committed: recent.forget,
    logged: () => log?.committed(),
    ...(durability === "process" && { enough: WRITES_ENOUGH }),
  });
  try {
    await patiently(() => mayShrink(database), outside);
    // WAL: readers (`embedgate usage`) never wait for the gateway. The setting is stored in the file.
    await patiently(() => database.run("PRAGMA journal_mode = WAL"), outside);
    const mode = database.query<{ journal_mode: string }, []>("PRAGMA journal_mode").get()?.journal_mode;
    // If WAL is impossible, SQLite reports no error and keeps the journal mode that it had.
    if (path !== ":memory:" && mode !== "wal")
      throw new GatewayError("database_unavailable", NO_SHARED_MEMORY);
    // NORMAL keeps every committed row when the process crashes; only a power failure can lose the last ones. FULL waits for the disk.
    database.run(`PRAGMA synchronous = ${durability === "power" ? "FULL" : "NORMAL"}`);
    log = keepLogShort(database, path, checkpoint);
    database.run("PRAGMA foreign_keys = ON");
    await write(() => migrate(database));
  } catch (cause) {
    database.close();
    // The path is only for the operator; a caller's 503 never contains it.
    throw unavailable(`The database ${path} cannot be used${placeOf(cause)}`, cause);
  }
  const countSteps = database.query("SELECT count(*) FROM sqlite_schema");
  return {
    database,
    write,
    monotonic: outside.monotonic,
    read,
    once: recent.once,
    check() {
      read(() => countSteps.get());
      checkWrites();
    },
    close() {
      log?.close();
      database.close();
    },
  };
}

const NO_SHARED_MEMORY =
  "It is on a file system without shared memory maps, such as NFS, SMB or some container volumes: put it on a local disk (database in the routing file)";

/** What SQLite's error code says about the cause: sqlite.org/rescode.html, IOERR_SHMOPEN and similar; PROTOCOL if locks do not work. */
export function placeOf(cause: unknown): string {
  if (cause instanceof GatewayError && cause.message === NO_SHARED_MEMORY) return `. ${NO_SHARED_MEMORY}`;
  const code = cause instanceof Error && "code" in cause ? String(cause.code) : "";
  return /^SQLITE_(?:IOERR_SHM|IOERR_LOCK|PROTOCOL)/.test(code) ? `. ${NO_SHARED_MEMORY}` : "";
}

/** Only a new database can be set up to give trimmed pages back to the file system (src/books/trimming.ts). */
function mayShrink(database: Database): void {
  const pages = database.query<{ page_count: bigint }, []>("PRAGMA page_count").get()?.page_count;
  if (pages === 0n) database.run("PRAGMA auto_vacuum = INCREMENTAL");
}

function migrate(database: Database): void {
  const row = database.query<{ user_version: bigint }, []>("PRAGMA user_version").get();
  const version = Number(row?.user_version ?? 0);
  if (version > MIGRATIONS.length) {
    throw new GatewayError(
      "database_unavailable",
      `The database was written by a newer embedgate (schema version ${version}, this one supports ${MIGRATIONS.length}): use that version, or another database.`,
    );
  }
  for (const step of MIGRATIONS.slice(version)) database.run(step);
  database.run(`PRAGMA user_version = ${MIGRATIONS.length}`);
}
