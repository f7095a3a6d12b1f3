/** A backup of files while the folder changes: every file that the database's copy names is in it, whatever was deleted meanwhile. */
import { expect, test } from "bun:test";
import {
  appendFileSync,
  existsSync,
  mkdirSync,
  readdirSync,
  readFileSync,
  rmSync,
  statSync,
  writeFileSync,
} from "node:fs";
import { join } from "node:path";
import { openFilesBackup, restoreFiles } from "../../src/batches/backup";
import { openStore } from "../../src/db/open";
import { realOutside } from "../../src/network/real-outside";
import { temporaryFolder } from "../serving";

const NOW = 1_000;

async function world() {
  const folder = temporaryFolder();
  mkdirSync(join(folder.path, "files"));
  for (const [name, text] of [
    ["file-in", "in"],
    ["file-out", "out"],
    ["file-old", "old"],
  ] as const)
    writeFileSync(join(folder.path, "files", name), text);
  const path = join(folder.path, "embedgate.db");
  const store = await openStore(path, realOutside);
  const run = (sql: string) => store.write(() => store.database.run(sql));
  const file = (id: string, expiresAt: number) =>
    run(
      `INSERT INTO files (id, workspace, filename, purpose, bytes, created_at, expires_at) VALUES ('${id}', 'w', 'x', 'batch', 1, 1, ${expiresAt})`,
    );
  const batch = (id: string, status: string) =>
    run(
      `INSERT INTO batches (id, workspace, input_file_id, status, created_at, expires_at, lines, lines_completed, lines_failed, tokens)
       VALUES ('${id}', 'w', 'file-in', '${status}', 1, 2, 1, 0, 0, 0)`,
    );
  // The input of an open batch is kept after it has expired.
  await file("file-in", NOW - 1);
  await file("file-out", NOW + 1);
  await file("file-old", NOW - 1);
  await batch("batch_a", "in_progress");
  const at = (name: string) => join(folder.path, name);
  writeFileSync(at("files/batch_a.work"), "one\n");
  writeFileSync(at("files/file-x.part"), "half");
  return { folder, path, at, batch, files: openFilesBackup(at("files"), at("b.db-files"), NOW) };
}

test("what is deleted after it began is in it; files that nobody names are not", async () => {
  const { folder, path, at, files } = await world();
  using _folder = folder;
  files.begin();
  appendFileSync(at("files/batch_a.work"), "two\n");
  rmSync(at("files"), { recursive: true });
  expect(files.complete(path)).toBe(true);
  files.finish();
  files.drop();
  expect(files.copied).toEqual({ folder: at("b.db-files"), count: 2, missing: 0, bytes: 5 });
  expect(readdirSync(at("b.db-files")).toSorted()).toEqual(["batch_a.work", "file-in", "file-out"]);
  expect(readFileSync(at("b.db-files/batch_a.work"), "utf8")).toBe("one\ntwo\n");
  expect(statSync(at("b.db-files")).mode & 0o777).toBe(0o700);
  expect(statSync(at("b.db-files/file-in")).mode & 0o777).toBe(0o600);
  expect(() => openFilesBackup(at("files"), at("b.db-files"), NOW)).toThrow("exists: name another");
  const restored = restoreFiles(at("b.db-files"), at("files"), at("kept"), path, NOW);
  expect([restored.count, restored.missing, existsSync(at("kept"))]).toEqual([2, 0, false]);
  writeFileSync(at("files/file-out"), "changed");
  restoreFiles(at("b.db-files"), at("files"), at("kept"), path, NOW);
  expect(readFileSync(at("files/file-out"), "utf8")).toBe("out");
  expect(readFileSync(at("kept/file-out"), "utf8")).toBe("changed");
});

test("a batch that began and ended in between has the database copied again", async () => {
  const { folder, path, batch, files } = await world();
  using _folder = folder;
  files.begin();
  await batch("batch_b", "in_progress");
  expect(files.complete(path)).toBe(false);
  files.drop();
  expect(readdirSync(folder.path).filter((name) => name.includes("partial"))).toEqual([]);
});
