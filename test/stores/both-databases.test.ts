/**
 * Every test file that opens a database runs on both (.ci/both-databases.ts), or says there why it does not. Here: that nothing goes round it.
 */
import { expect, test } from "bun:test";
import { readFileSync } from "node:fs";
import { join } from "node:path";
import { Glob } from "bun";
import { isForEach, ON_ONE, onBoth, opening } from "../../.ci/both-databases";

const ROOT = join(import.meta.dir, "../..");
const OPENING = opening();
const ON_BOTH = onBoth();
const textOf = (path: string) => readFileSync(join(ROOT, path), "utf8");

test("what is on one database alone opens one, and says why it is not on both", () => {
  const wrong = Object.entries(ON_ONE).filter(
    ([path, reason]) => !OPENING.includes(path) || isForEach(path) || reason.length < 15,
  );
  expect(wrong).toEqual([]);
  expect(ON_BOTH.length).toBeGreaterThan(100);
});

/** They open SQLite's file or make its tables themselves, on whichever database the tests run. */
const SQLITE =
  /\bnew Database\((?!join\([\w.]*folder, (?:"data\/embedgate\.db"|DATABASE)\), \{\s*readonly)|\bopenStore\(|\bopenSqlite\(/;

test("a file that is on both opens no SQLite of its own, but in tests that are skipped on PostgreSQL with the reason", () => {
  const wrong = ON_BOTH.filter(
    (path) => SQLITE.test(textOf(path)) && !textOf(path).includes("onSqliteAlone("),
  );
  expect(wrong).toEqual([]);
});

test("no test is skipped on PostgreSQL without a reason", () => {
  const wrong = [...new Glob("test/**/*.ts").scanSync({ cwd: ROOT })].filter((path) =>
    /[iI]f\(!?ON_POSTGRES/.test(textOf(path)),
  );
  expect(wrong.filter((path) => !path.endsWith("both-databases.test.ts"))).toEqual([]);
});
