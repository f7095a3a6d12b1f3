/**
 * Moves the contents of SQLite's write-ahead log into the database file (sqlite.org/wal.html, 3.2), on its own connection: this waits for the
 * disk twice. Modes: sqlite.org/pragma.html#pragma_wal_checkpoint.
 */
import { Database } from "bun:sqlite";

export interface LogOf {
  /** The database file. */
  readonly path: string;
  /** With more pages than this in the log, writers wait until all of it is moved, so that the log starts over. */
  readonly pagesMax: number;
}

export interface Checkpointed {
  /** Pages in the log, and how many of them were moved. */
  readonly pages: number;
  readonly moved: number;
}

/** Writers wait while this runs; it waits for another process's writer at most this long. */
const BUSY_MS = 50;

interface Row {
  readonly log: number;
  readonly checkpointed: number;
}

/** @throws SQLiteError if the database cannot be opened */
export function checkpoint({ path, pagesMax }: LogOf): Checkpointed {
  using database = new Database(path, { readwrite: true, create: false });
  const moved = (mode: "PASSIVE" | "RESTART"): Checkpointed => {
    const row = database.query<Row, []>(`PRAGMA wal_checkpoint(${mode})`).get();
    return { pages: row?.log ?? 0, moved: row?.checkpointed ?? 0 };
  };
  // PASSIVE blocks no writer. While others write, the log only grows: it starts over only after all of it was moved.
  const passive = moved("PASSIVE");
  if (passive.pages <= pagesMax) return passive;
  database.run(`PRAGMA busy_timeout = ${BUSY_MS}`);
  return moved("RESTART");
}
