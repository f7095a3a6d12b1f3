/**
 * The gateway's disk: the one thing that src/domain/outside.ts does not carry. The connection that a gateway opens is caught as it opens, so
 * that faults are SQLite's own (SQLITE_FULL, SQLITE_READONLY, SQLITE_BUSY) and a death can take the connection away.
 * A new fault is a member of DiskFault and a case in `begin`.
 */
import { Database, type SQLQueryBindings } from "bun:sqlite";

/** locked: another process holds the write lock. full: no page can be added. read-only: what a kernel makes of a disk with errors. */
export type DiskFault = "locked" | "full" | "read-only";

/** Runs `open` and returns with its value the connections that it opened. */
export async function catchingConnections<Value>(
  open: () => Promise<Value>,
): Promise<{ value: Value; connections: readonly Database[] }> {
  const connections = new Set<Database>();
  const original = Database.prototype.run;
  Database.prototype.run = function caught<Bindings extends SQLQueryBindings[]>(
    this: Database,
    sql: string,
    ...bindings: Bindings[]
  ) {
    connections.add(this);
    return original.call(this, sql, ...bindings);
  };
  try {
    return { value: await open(), connections: [...connections] };
  } finally {
    Database.prototype.run = original;
  }
}

/** @param path the file, for a lock of another process's; a database in memory cannot be locked. @returns what ends the fault */
export function begin(fault: DiskFault, connection: Database, path: string): () => void {
  if (fault === "locked") {
    const other = new Database(path);
    other.run("BEGIN IMMEDIATE");
    return () => {
      other.run("ROLLBACK");
      other.close();
    };
  }
  if (fault === "read-only") {
    connection.run("PRAGMA query_only = ON");
    return () => {
      connection.run("PRAGMA query_only = OFF");
    };
  }
  const pages = connection.query<{ page_count: bigint }, []>("PRAGMA page_count").get()?.page_count ?? 1n;
  connection.run(`PRAGMA max_page_count = ${pages}`);
  return () => {
    connection.run("PRAGMA max_page_count = 1073741823");
  };
}

/** Death of the process, as far as its disk goes: nothing is written any more, committed rows stay. */
export function abandon(connection: Database): void {
  // Statements that the dead gateway still holds must not write either.
  connection.run("PRAGMA query_only = ON");
  connection.close();
}
