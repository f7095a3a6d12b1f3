/**
 * A gateway's database as another process has it, whatever happened to the gateway: it is read in SQL for SQLite, from a copy where it is a
 * server (copied.ts), and changed in SQL that both understand.
 */
import { Database } from "bun:sqlite";
import { join } from "node:path";
import { copiedTo } from "./copied";
import { databaseIn } from "./on-postgres";

/** @param folder of the gateway's routing file @param sql for SQLite, one statement */
export async function query<Row>(folder: string, sql: string, { safeIntegers = false } = {}): Promise<Row[]> {
  const server = databaseIn(folder);
  const path = join(folder, server ? "copied.db" : "data/embedgate.db");
  if (server) await copiedTo(path, server).refresh();
  const database = new Database(path, { readonly: true, safeIntegers });
  try {
    return database.query<Row, []>(sql).all();
  } finally {
    database.close();
  }
}

/** @param sql with `@` before the name of each table, and `$1` for the first value */
export async function change(
  folder: string,
  sql: string,
  values: readonly (string | number)[] = [],
): Promise<void> {
  const server = databaseIn(folder);
  if (server) {
    await server.ask(sql, values);
    return;
  }
  using database = new Database(join(folder, "data/embedgate.db"));
  database.run(sql.replaceAll("@", "").replaceAll("$", "?"), [...values]);
}
