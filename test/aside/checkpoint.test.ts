/** A checkpoint beside a writer (src/aside/checkpoint.ts): on real files. */
import { Database } from "bun:sqlite";
import { expect, test } from "bun:test";
import { join } from "node:path";
import { checkpoint } from "../../src/aside/checkpoint";
import { temporaryFolder } from "../serving";

function open() {
  const folder = temporaryFolder();
  const path = join(folder.path, "ledger.db");
  const database = new Database(path, { create: true, strict: true });
  database.run("PRAGMA journal_mode = WAL");
  database.run("PRAGMA wal_autocheckpoint = 1000000");
  database.run("CREATE TABLE seen (word TEXT)");
  const insert = database.query<unknown, [string]>("INSERT INTO seen VALUES (?1)");
  const write = (rows: number) => {
    for (let i = 0; i < rows; i++) insert.run("x".repeat(1_000));
  };
  /** By another connection, of the file and its log. */
  const rows = () => {
    using other = new Database(path, { readonly: true });
    return other.query<{ count: number }, []>("SELECT count(*) AS count FROM seen").get()?.count;
  };
  const close = () => {
    database.close();
    folder[Symbol.dispose]();
  };
  return { path, database, write, rows, [Symbol.dispose]: close };
}

test("moves all that was committed, and the next commit begins the log anew", () => {
  using at = open();
  const { path, write, rows } = at;
  write(100);
  const { pages, moved } = checkpoint({ path, pagesMax: 1_000 });
  expect(pages).toBeGreaterThan(100);
  expect(moved).toBe(pages);
  write(1);
  expect(checkpoint({ path, pagesMax: 1_000 }).pages).toBeLessThan(10);
  expect(rows()).toBe(101);
});

test("a transaction under way is not waited for, and loses nothing", () => {
  using at = open();
  const { path, database, write, rows } = at;
  write(50);
  database.run("BEGIN IMMEDIATE");
  write(50);
  const { pages, moved } = checkpoint({ path, pagesMax: 1_000 });
  expect(moved).toBe(pages);
  database.run("COMMIT");
  expect(rows()).toBe(100);
});

test("past the most that the log may hold, a writer under way is waited for a moment only", () => {
  using at = open();
  const { path, database, write, rows } = at;
  write(50);
  database.run("BEGIN IMMEDIATE");
  write(1);
  expect(checkpoint({ path, pagesMax: 1 }).moved).toBeGreaterThan(50);
  database.run("COMMIT");
  expect(rows()).toBe(51);
});

test("a database that is gone is an error, and is not made", () => {
  using folder = temporaryFolder();
  const path = join(folder.path, "gone.db");
  expect(() => checkpoint({ path, pagesMax: 1 })).toThrow();
  expect(() => new Database(path, { readonly: true })).toThrow();
});
