/**
 * Writes that share a transaction (src/db/writer.ts): each keeps its own outcome, and all wait for the one commit.
 */
import { Database } from "bun:sqlite";
import { expect, test } from "bun:test";
import { createWriter } from "../../src/db/writer";
import { GatewayError } from "../../src/domain/errors";
import { temporaryFolder } from "../serving";

/** Ends the turn when it is told to, so that a test decides what comes within one turn. */
function open(path = ":memory:", enough?: number) {
  const database = new Database(path, { strict: true });
  database.run("CREATE TABLE seen (word TEXT PRIMARY KEY)");
  const insert = database.query<unknown, [string]>("INSERT INTO seen VALUES (?1)");
  let now = 0;
  const { write, checkWrites } = createWriter(
    database,
    {
      sleep: async (ms) => {
        now += ms;
      },
      monotonic: () => now,
      random: () => 0.5,
      turn: () => new Promise((resolve) => setImmediate(resolve)),
    },
    { ...(enough !== undefined && { enough }) },
  );
  const words = () => database.query<{ word: string }, []>("SELECT word FROM seen ORDER BY word").all();
  const put = (word: string) => write(() => insert.run(word).changes);
  return { database, write, checkWrites, put, words: () => words().map(({ word }) => word) };
}

test("writes of one turn are one transaction, and each has its own answer", async () => {
  const { database, write, words } = open();
  let transactions = 0;
  const insert = database.query<unknown, [string]>("INSERT INTO seen VALUES (?1)");
  const write_of = (word: string) =>
    write(() => {
      if (words().length === 0) transactions += 1;
      insert.run(word);
      return `${word} of ${words().length}`;
    });
  expect(await Promise.all([write_of("a"), write_of("b"), write_of("c")])).toEqual([
    "a of 1",
    "b of 2",
    "c of 3",
  ]);
  expect(transactions).toBe(1);
});

test("a commit waits once more where writes came while it waited, and not longer", async () => {
  const database = new Database(":memory:", { strict: true });
  /** What comes during each wait. */
  const coming: (string | undefined)[] = ["b", "c", "e"];
  const waiting: Promise<unknown>[] = [];
  const groups: string[][] = [];
  let group: string[] = [];
  let waits = 0;
  const polled = async () => {
    waits += 1;
    const word = coming.shift();
    if (word !== undefined) waiting.push(put(word));
  };
  const { write } = createWriter(
    database,
    { sleep: async () => {}, monotonic: () => 0, random: () => 0.5, polled },
    {
      logged() {
        groups.push(group);
        group = [];
      },
    },
  );
  const put = (word: string) => write(() => group.push(word));
  for (const word of ["a", "d", "f"]) await put(word);
  await Promise.all(waiting);
  expect(groups).toEqual([["a", "b", "c"], ["d", "e"], ["f"]]);
  expect(waits).toBe(5);
});

test("enough writes are committed within their turn, in the order in which they came", async () => {
  const database = new Database(":memory:", { strict: true });
  const said: string[] = [];
  const outside = { sleep: async () => {}, monotonic: () => 0, random: () => 0.5 };
  const { write } = createWriter(database, outside, { logged: () => said.push("|"), enough: 3 });
  const all = [..."abcdefgh"].map((word) =>
    write(() => said.push(word)).then(() => said.push(word.toUpperCase())),
  );
  expect(said.join("")).toBe("abc|def|");
  await Promise.all(all);
  expect(said.join("")).toBe("abc|def|ABCDEFgh|GH");
});

test("enough writes that meet a lock are kept, and written when it is free", async () => {
  using folder = temporaryFolder();
  const path = `${folder.path}/t.db`;
  const { put, words } = open(path, 2);
  using other = new Database(path, { strict: true });
  other.run("BEGIN IMMEDIATE");
  const all = ["a", "b", "c"].map(put);
  expect(words()).toEqual([]);
  other.run("ROLLBACK");
  await Promise.all(all);
  expect(words()).toEqual(["a", "b", "c"]);
});

test("a write that throws its own error fails alone, and leaves no changes", async () => {
  const { write, put, words, database } = open();
  const insert = database.query<unknown, [string]>("INSERT INTO seen VALUES (?1)");
  const refused = new GatewayError("insufficient_credit", "none left");
  const outcomes = await Promise.allSettled([
    put("a"),
    write(() => {
      insert.run("half");
      throw refused;
    }),
    put("b"),
  ]);
  expect(outcomes).toMatchObject([{ value: 1 }, { reason: refused }, { value: 1 }]);
  expect(words()).toEqual(["a", "b"]);
});

test("a row that the database refuses fails alone", async () => {
  const { put, words } = open();
  const outcomes = await Promise.allSettled([put("a"), put("a"), put("b")]);
  expect(outcomes).toMatchObject([
    { status: "fulfilled" },
    { status: "rejected", reason: { kind: "database_unavailable" } },
    { status: "fulfilled" },
  ]);
  expect(words()).toEqual(["a", "b"]);
});

test("writes that come during a commit are in the next one, none is forgotten", async () => {
  const { put, words } = open();
  const first = put("a").then(() => put("c"));
  await Promise.all([first, put("b").then(() => Promise.all([put("d"), put("e")]))]);
  expect(words()).toEqual(["a", "b", "c", "d", "e"]);
});

test("a lock that another process holds too long refuses each write, and later ones are written", async () => {
  using folder = temporaryFolder();
  const { put, words } = open(`${folder.path}/t.db`);
  const other = new Database(`${folder.path}/t.db`);
  other.run("BEGIN EXCLUSIVE");
  const outcomes = await Promise.allSettled([put("a"), put("b")]);
  expect(outcomes).toMatchObject([
    { reason: { kind: "database_unavailable" } },
    { reason: { kind: "database_unavailable" } },
  ]);
  other.run("ROLLBACK");
  other.close();
  await put("c");
  expect(words()).toEqual(["c"]);
});

test("is not ready once another process has held the lock for long, and is ready again when it is free", async () => {
  using folder = temporaryFolder();
  const path = `${folder.path}/shared.db`;
  const { checkWrites, put, words } = open(path);
  using other = new Database(path, { strict: true });
  other.run("BEGIN IMMEDIATE");
  checkWrites();
  // Not by `rejects`: it waits inside of expect(), where a turn of setImmediate was once seen never to come.
  const [outcome] = await Promise.allSettled([put("a")]);
  expect(outcome).toMatchObject({ reason: { kind: "database_unavailable" } });
  expect(checkWrites).toThrow("The database is locked by another process.");
  other.run("COMMIT");
  checkWrites();
  await put("b");
  expect(words()).toEqual(["b"]);
});

test("is not ready while the file has no room, and is ready again once a write succeeds; a row that is refused says nothing of it", async () => {
  const { database, checkWrites, put } = open();
  await put("a");
  await Promise.allSettled([put("a")]);
  checkWrites();
  const pages = database.query<{ page_count: number }, []>("PRAGMA page_count").get()?.page_count;
  database.run(`PRAGMA max_page_count = ${pages}`);
  const [outcome] = await Promise.allSettled([put("long ".repeat(10_000))]);
  expect(outcome).toMatchObject({ reason: { kind: "database_unavailable" } });
  expect(checkWrites).toThrow("The database refused a write: database or disk is full.");
  database.run("PRAGMA max_page_count = 1000");
  await put("b");
  checkWrites();
});
