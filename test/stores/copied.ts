/**
 * Tests that read the ledger's file read this one if the gateway uses PostgreSQL: a copy, made after each answer, in SQLite's
 * shape. It is for reading; tests that write into the file are about SQLite.
 */
import { Database } from "bun:sqlite";
import { mkdirSync, writeFileSync } from "node:fs";
import { dirname } from "node:path";
import { MIGRATIONS } from "../../src/db/migrations";
import type { PostgresDatabase } from "./databases";

const TABLES = [
  "keys",
  "key_secrets",
  "workspaces",
  "credit_grants",
  "ledger",
  "spaces",
  "space_routes",
  "route_limits",
];
/** In the order in which rows were made, as far as it is known. */
const ORDER: Readonly<Record<string, string>> = { ledger: "started_at, ctid", credit_grants: "id" };

type Value = string | number | bigint | Uint8Array | null;
type Row = Readonly<Record<string, unknown>>;

export interface Copied {
  refresh(): Promise<void>;
}

/** The bytes of an empty database, which is made once. */
let empty: Uint8Array | undefined;
function emptyFile(): Uint8Array {
  if (empty) return empty;
  using made = new Database(":memory:", { safeIntegers: true });
  for (const step of MIGRATIONS) made.run(step);
  made.run(`PRAGMA user_version = ${MIGRATIONS.length}`);
  empty = made.serialize();
  return empty;
}

export function copiedTo(path: string, { ask }: PostgresDatabase): Copied {
  mkdirSync(dirname(path), { recursive: true });
  writeFileSync(path, emptyFile());

  async function rowsOf(table: string): Promise<Row[]> {
    return ask<Row>(`SELECT * FROM @${table} ORDER BY ${ORDER[table] ?? "1"}`);
  }

  async function copy(): Promise<void> {
    const tables = new Map<string, Row[]>();
    for (const table of TABLES) tables.set(table, await rowsOf(table));
    const into = new Database(path, { safeIntegers: true });
    into.run("PRAGMA foreign_keys = OFF");
    // The file need not survive a crash.
    into.run("PRAGMA synchronous = OFF");
    into.run("PRAGMA journal_mode = MEMORY");
    into.transaction(() => {
      for (const table of [...TABLES, "spending"]) into.run(`DELETE FROM ${table}`);
      for (const [table, rows] of tables) put(into, table, rows);
      for (const { name, spent_day, spent_day_pico_usd, spent_month, spent_month_pico_usd } of tables.get(
        "workspaces",
      ) ?? []) {
        const earlier = BigInt(String(spent_month_pico_usd)) - BigInt(String(spent_day_pico_usd));
        if (spent_day !== "" && String(spent_day).startsWith(String(spent_month))) {
          into.run("INSERT INTO spending VALUES (?, ?, ?)", [
            String(name),
            String(spent_day),
            BigInt(String(spent_day_pico_usd)),
          ]);
          if (earlier > 0n)
            into.run("INSERT INTO spending VALUES (?, ?, ?)", [String(name), `${spent_month}-00`, earlier]);
        }
      }
    })();
    into.close();
  }

  let current: Promise<void> | undefined;
  let next: Promise<void> | undefined;

  /** A copy that starts after it was requested. */
  function refresh(): Promise<void> {
    if (current === undefined) {
      current = copy().finally(() => {
        current = undefined;
      });
      return current;
    }
    next ??= current
      .catch(() => undefined)
      .then(() => {
        next = undefined;
        return refresh();
      });
    return next;
  }
  return { refresh };
}

function put(into: Database, table: string, rows: readonly Row[]): void {
  const columns = into
    .query<{ readonly name: string }, []>(`PRAGMA table_info(${table})`)
    .all()
    .map(({ name }) => name);
  const insert = into.query<unknown, Value[]>(
    `INSERT INTO ${table} (${columns.map((name) => `"${name}"`).join(", ")}) VALUES (${columns.map(() => "?").join(", ")})`,
  );
  for (const row of rows) insert.run(...columns.map((name) => inSqlite(row[name])));
}

function inSqlite(value: unknown): Value {
  if (typeof value === "boolean") return value ? 1 : 0;
  if (typeof value === "string" || typeof value === "number" || typeof value === "bigint") return value;
  return value instanceof Uint8Array ? value : null;
}
