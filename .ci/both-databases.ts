/**
 * The tests that open a database, all of which run on both: check.ts runs them with SQLite, as everything, and once more with PostgreSQL
 * (.ci/postgres.sh). A new test file that opens one is among them by itself; one that cannot be is a line of ON_ONE, with the reason.
 */
import { existsSync, readFileSync } from "node:fs";
import { dirname, join } from "node:path";
import { Glob } from "bun";

const ROOT = join(import.meta.dir, "..");

/** What opens a database, by the name that is imported; each of `test/` asks test/stores/on-postgres.ts which one. */
const OPENERS = new Set([
  "openGateway",
  "startServing",
  "runCommand",
  "testDatabase",
  // These open the one that they name.
  "Database",
  "openStore",
  "openSqlite",
  "openPostgres",
  "openStores",
  "createGateway",
  "postgresDatabase",
  "sqliteDatabase",
  "startDrill",
]);
/** Files whose `KINDS` are databases: a suite for each of them is on both in one run. */
const HAVE_KINDS = /\/(?:databases|batch-lines|books)$/;
/** Files that have openers: who imports something else from them opens nothing. */
const HAVE_OPENERS = /^test\/(?:gateway|serving|command-line|stores\/[\w-]+)\.ts$/;
/** The program itself, as a process of the test's own. */
const PROGRAM = /import\.meta\.dir, "[./]*src\/main\.ts"|\bbuild\(join\(/;
/** Imports of types open nothing. */
const IMPORT = /import (type )?(\{[^}]*\}|[^"{]*)? ?(?:from )?"([^"]+)"/g;

const ITS_FILE = "is about SQLite's own file";
const CACHE_FILE = "is about the cache's file, which is SQLite's whatever the database is";
const SERVER = "is about PostgreSQL, which it has in the first run";
const NONE = "runs commands that open no database";
const OWN_SUMS = "reads the sums as SQLite keeps them; test/stores/sums.test.ts has the same lives on both";
const KILLED =
  "looks at once at what a killed process left, which on a server is released after 30 s: test/stores/drills.test.ts kills there";

/** Test files that open a database, and are not run on both: each with the reason. */
export const ON_ONE: Readonly<Record<string, string>> = {
  "test/aside/checkpoint.test.ts": ITS_FILE,
  "test/batches/backup.test.ts": ITS_FILE,
  "test/batches/kill.test.ts": "kills on both in the first run",
  "test/bench/command.test.ts": NONE,
  "test/books/metadata-days.test.ts": OWN_SUMS,
  "test/books/rollups.test.ts": OWN_SUMS,
  "test/cache/disk-damage.test.ts": CACHE_FILE,
  "test/cache/disk.test.ts": CACHE_FILE,
  "test/commands/backup.test.ts": ITS_FILE,
  "test/commands/check-shared.test.ts": NONE,
  "test/commands/licenses.test.ts": NONE,
  "test/commands/plugin-init.test.ts": NONE,
  "test/commands/plugin-test.test.ts": NONE,
  "test/commands/service/files.test.ts": NONE,
  "test/commands/service/steps.test.ts": NONE,
  "test/dashboard/drawn.test.ts":
    "reads the ledger as SQLite keeps it; test/stores/sums.test.ts has sums on both",
  "test/dashboard/sums.test.ts":
    "reads the ledger as SQLite keeps it; test/stores/sums.test.ts has sums on both",
  "test/db/backup.test.ts": ITS_FILE,
  "test/db/disk-full.test.ts": ITS_FILE,
  "test/db/log-keeper.test.ts": ITS_FILE,
  "test/db/migrations.test.ts": ITS_FILE,
  "test/db/writer.test.ts": ITS_FILE,
  "test/docs/blocks.test.ts":
    "runs what the pages print, of which some is about SQLite's file, such as `embedgate backup`",
  "test/executable.test.ts": "is about what the executable carries, from folders with nothing configured",
  "test/kill.test.ts": KILLED,
  "test/machine/private-files.test.ts": ITS_FILE,
  "test/release.test.ts": "is about releases, and serves from folders with nothing configured",
  "test/request/locked.test.ts":
    "is about locks of SQLite's file; test/stores/postgres.test.ts has a server's",
  "test/sim/machines.test.ts": "has a simulated PostgreSQL",
  "test/sim/sim.test.ts":
    "breaks SQLite's disk; test/sim/machines.test.ts draws the same requests on a simulated PostgreSQL",
  "test/stores/drills.test.ts": SERVER,
  "test/stores/invoices.test.ts": "judges both in the first run",
  "test/stores/leases.test.ts": SERVER,
  "test/stores/move.test.ts": "moves from one to the other",
  "test/stores/postgres.test.ts": SERVER,
  "test/stores/spool.test.ts": SERVER,
};

function importsOf(text: string) {
  return [...text.matchAll(IMPORT)]
    .filter(([, type]) => type === undefined)
    .map(([, , names = "", from = ""]) => ({
      from,
      names: names
        .replace(/[{}]/g, "")
        .split(",")
        .map((name) => name.trim())
        .filter((name) => !name.startsWith("type "))
        .map((name) => name.split(" as ")[0] ?? ""),
    }));
}

const isKinds = ({ from, names }: ReturnType<typeof importsOf>[number]) =>
  HAVE_KINDS.test(from) && names.includes("KINDS");

/** Whether a file under test/ opens a database, itself or by another file there. */
function opens(path: string, seen = new Set<string>()): boolean {
  if (seen.has(path) || !path.startsWith("test/") || !existsSync(join(ROOT, path))) return false;
  seen.add(path);
  const text = readFileSync(join(ROOT, path), "utf8");
  if (PROGRAM.test(text)) return true;
  return importsOf(text).some(({ from, names }) => {
    if (names.some((name) => OPENERS.has(name)) || isKinds({ from, names })) return true;
    const other = `${join(dirname(path), from)}.ts`;
    return from.startsWith(".") && !HAVE_OPENERS.test(other) && opens(other, seen);
  });
}

/** All test files that open a database. */
export const opening = (): readonly string[] =>
  [...new Glob("test/**/*.test.ts").scanSync({ cwd: ROOT })].filter((path) => opens(path)).sort();

/** Whether a file is a suite for each kind of database. */
export const isForEach = (path: string): boolean =>
  importsOf(readFileSync(join(ROOT, path), "utf8")).some(isKinds);

/** What is to be run with PostgreSQL. */
export const onBoth = (): readonly string[] =>
  opening().filter((path) => ON_ONE[path] === undefined && !isForEach(path));
