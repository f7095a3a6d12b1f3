/**
 * The gateway's disk: the only thing outside of src/domain/outside.ts. The connection that a gateway opens is intercepted, so
 * that faults are SQLite's own (SQLITE_FULL, SQLITE_READONLY, SQLITE_BUSY) and a crash can remove the connection.
 * A new fault is a member of DiskFault and a case in `begin`.
 */
import { Database, type SQLQueryBindings } from "bun:sqlite";

/** locked: another process holds the write lock. full: no page can be added. read-only: as a kernel remounts a disk with errors. */
export type DiskFault = "locked" | "full" | "read-only";

/** Runs `open` and returns its value and the connections that it opened. */
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

/** @param path the file, for a lock of another process; a database in memory cannot be locked. @returns a function that ends the fault */
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

/** A crash of the process, for its disk: nothing is written any more, committed rows stay. */
export function abandon(connection: Database): void {
  // Statements that the dead gateway still holds must not write either.
  connection.run("PRAGMA query_only = ON");
  connection.close();
}
