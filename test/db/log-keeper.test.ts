/** Who moves the write-ahead log into the database (src/db/log-keeper.ts): a Worker, or SQLite itself where that fails. */
import { Database } from "bun:sqlite";
import { expect, test } from "bun:test";
import { join } from "node:path";
import type { LogOf } from "../../src/aside/checkpoint";
import { COMMITS_BETWEEN, keepLogShort } from "../../src/db/log-keeper";
import { temporaryFolder } from "../serving";

function open() {
  const database = new Database(":memory:", { strict: true });
  const asked: LogOf[] = [];
  const failures: unknown[] = [];
  let outcome = Promise.withResolvers<void>();
  const keeper = keepLogShort(database, "/data/embedgate.db", {
    perform(log) {
      asked.push(log);
      outcome = Promise.withResolvers();
      return outcome.promise;
    },
    failed: (cause) => failures.push(cause),
  });
  const pages = () =>
    database.query<{ wal_autocheckpoint: number }, []>("PRAGMA wal_autocheckpoint").get()?.wal_autocheckpoint;
  const commit = (count: number) => {
    for (let i = 0; i < count; i++) keeper.committed();
  };
  return { asked, failures, keeper, pages, commit, outcome: () => outcome };
}

test("the Worker is asked after so many commits, one checkpoint at a time", async () => {
  const { asked, commit, outcome } = open();
  commit(COMMITS_BETWEEN - 1);
  expect(asked).toEqual([]);
  commit(1);
  expect(asked).toEqual([{ path: "/data/embedgate.db", pagesMax: 32_000 }]);
  commit(2 * COMMITS_BETWEEN);
  expect(asked.length).toBe(1);
  outcome().resolve();
  await outcome().promise;
  commit(1);
  expect(asked.length).toBe(2);
});

test("where it fails, SQLite does it from then on, and that is told once", async () => {
  const { asked, failures, pages, commit, outcome } = open();
  expect(pages()).toBe(64_000);
  commit(COMMITS_BETWEEN);
  outcome().reject("the Worker died");
  await outcome().promise.catch(() => {});
  expect(failures).toEqual(["the Worker died"]);
  expect(pages()).toBe(8_000);
  commit(2 * COMMITS_BETWEEN);
  expect(asked.length).toBe(1);
});

test("a checkpoint that the end of the gateway cuts short is no failure", async () => {
  const { failures, keeper, commit, outcome } = open();
  commit(COMMITS_BETWEEN);
  keeper.close();
  outcome().reject("the gateway is shutting down");
  await outcome().promise.catch(() => {});
  expect(failures).toEqual([]);
});

test("without a Worker SQLite does it", () => {
  using folder = temporaryFolder();
  using database = new Database(join(folder.path, "own.db"), { create: true, strict: true });
  keepLogShort(database, "own.db").committed();
  expect(database.query("PRAGMA wal_autocheckpoint").get()).toEqual({ wal_autocheckpoint: 8_000 });
});
