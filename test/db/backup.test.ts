/** Backups of a database that is written to, and restores: complete, private, and never over a database in use. */
import { Database } from "bun:sqlite";
import { expect, test } from "bun:test";
import { chownSync, existsSync, readdirSync, readFileSync, statSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { backUp, checkBackup, restoreDatabase } from "../../src/db/backup";
import { MIGRATIONS } from "../../src/db/migrations";
import { openStore } from "../../src/db/open";
import { realOutside } from "../../src/network/real-outside";
import { temporaryFolder } from "../serving";

const key = (id: string) =>
  `INSERT INTO keys (id, name, workspace, created_at, admin) VALUES ('${id}', '${id}', 'w', 1, 0)`;

async function opened() {
  const folder = temporaryFolder();
  const path = join(folder.path, "embedgate.db");
  const store = await openStore(path, realOutside);
  return { folder, path, store, beside: (name: string) => join(folder.path, name) };
}

test("a backup is one moment, even while another transaction is open, and only its owner can read it", async () => {
  const { folder, path, store, beside } = await opened();
  using _folder = folder;
  await store.write(() => store.database.run(key("before")));
  store.database.run("BEGIN IMMEDIATE");
  store.database.run(key("meanwhile"));
  const checked = backUp(path, beside("backup.db"));
  store.database.run("COMMIT");
  expect(checked).toEqual({ version: MIGRATIONS.length, ledger_rows: 0, keys: 1 });
  expect(statSync(beside("backup.db")).mode & 0o777).toBe(0o600);
  expect(readdirSync(folder.path).filter((name) => name.includes("partial"))).toEqual([]);
  // The gateway's own database is unchanged.
  expect(Object(store.database.query("SELECT count(*) AS n FROM keys").get()).n).toBe(2n);
  store.close();
});

test("a backup never replaces a file, and leaves none if it fails", async () => {
  const { folder, path, store, beside } = await opened();
  using _folder = folder;
  writeFileSync(beside("mine"), "mine");
  expect(() => backUp(path, beside("mine"))).toThrow("mine exists: name another file");
  expect(readFileSync(beside("mine"), "utf8")).toBe("mine");
  expect(() => backUp(path, beside("no/such/folder.db"))).toThrow("could not be backed up");
  expect(() => backUp(beside("none.db"), beside("backup.db"))).toThrow("could not be backed up");
  expect(existsSync(beside("backup.db"))).toBe(false);
  store.close();
});

test("a file that is not a complete database of ours is refused with the reason", async () => {
  const { folder, path, store, beside } = await opened();
  using _folder = folder;
  for (let i = 0; i < 400; i++) store.database.run(key(`key_${i}`.padEnd(200, "x")));
  backUp(path, beside("backup.db"));
  store.close();
  const bytes = readFileSync(beside("backup.db"));
  writeFileSync(beside("cut.db"), bytes.subarray(0, bytes.length / 2));
  writeFileSync(
    beside("text.db"),
    "no database at all, but some text that is longer than a header of one".repeat(9),
  );
  const other = new Database(beside("other.db"));
  other.run("CREATE TABLE t (a)");
  other.close();
  writeFileSync(beside("newer.db"), bytes);
  const newer = new Database(beside("newer.db"));
  newer.run(`PRAGMA user_version = ${MIGRATIONS.length + 1}`);
  newer.close();
  expect(() => checkBackup(beside("cut.db"))).toThrow(/damaged|malformed/);
  expect(() => checkBackup(beside("text.db"))).toThrow("not a database");
  expect(() => checkBackup(beside("other.db"))).toThrow("is no database of embedgate");
  expect(() => checkBackup(beside("newer.db"))).toThrow("newer embedgate");
  expect(() => checkBackup(beside("none.db"))).toThrow("does not exist");
  expect(checkBackup(beside("backup.db")).keys).toBe(400);
});

test("a restore is refused while the database is open; then the old one is kept completely, and the disk cache is deleted", async () => {
  const { folder, path, store, beside } = await opened();
  using _folder = folder;
  await store.write(() => store.database.run(key("first")));
  backUp(path, beside("backup.db"));
  await store.write(() => store.database.run(key("second")));
  const restore = () => restoreDatabase(beside("backup.db"), path, beside("kept.db"));
  expect(restore).toThrow("A program has the database");
  expect(existsSync(beside("kept.db"))).toBe(false);
  store.close();
  writeFileSync(`${path}-cache`, "vectors");
  expect(restore().keys).toBe(1);
  expect([checkBackup(path).keys, checkBackup(beside("kept.db")).keys]).toEqual([1, 2]);
  // What was kept before is not overwritten by what is kept now.
  expect(restore).toThrow("kept.db exists");
  expect([existsSync(`${path}-cache`), statSync(path).mode & 0o777]).toEqual([false, 0o600]);
  // And it opens as one of ours.
  const again = await openStore(path, realOutside);
  again.check();
  again.close();
});

test.skipIf(process.getuid?.() !== 0)("what root restores is the folder's user's", async () => {
  const { folder, path, store, beside } = await opened();
  using _folder = folder;
  backUp(path, beside("backup.db"));
  store.close();
  chownSync(folder.path, 10001, 10001);
  restoreDatabase(beside("backup.db"), path, beside("kept.db"));
  expect([statSync(path).uid, statSync(path).gid]).toEqual([10001, 10001]);
});

test("a damaged database is kept and replaced; a damaged backup changes nothing", async () => {
  const { folder, path, store, beside } = await opened();
  using _folder = folder;
  backUp(path, beside("backup.db"));
  store.close();
  writeFileSync(path, "damaged beyond all repair, and not a database at all any more".repeat(20));
  writeFileSync(beside("bad.db"), "bad".repeat(999));
  expect(() => restoreDatabase(beside("bad.db"), path, beside("kept.db"))).toThrow("not a database");
  expect(readFileSync(path, "utf8")).toStartWith("damaged");
  restoreDatabase(beside("backup.db"), path, beside("kept.db"));
  expect(checkBackup(path).keys).toBe(0);
  expect(readFileSync(beside("kept.db"), "utf8")).toStartWith("damaged");
});
