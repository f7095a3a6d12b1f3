/**
 * Who may read what the gateway writes: only the user that it runs as, whatever the umask, the file's age and its creator.
 */
import { afterAll, beforeAll, describe, expect, test } from "bun:test";
import {
  chmodSync,
  copyFileSync,
  lstatSync,
  mkdirSync,
  readdirSync,
  rmSync,
  symlinkSync,
  writeFileSync,
} from "node:fs";
import { mkdtemp } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { openFile } from "../../src/cache/disk-file";
import { openStore } from "../../src/db/open";
import { realOutside } from "../../src/network/real-outside";
import { announce } from "../../src/processes/presence";

let umask: number;
beforeAll(() => {
  // The most permissive umask.
  umask = process.umask(0);
});
afterAll(() => {
  process.umask(umask);
});

const modeOf = (path: string) => (lstatSync(path).mode & 0o777).toString(8);
const modesIn = (folder: string) =>
  Object.fromEntries(readdirSync(folder).map((name) => [name, modeOf(join(folder, name))]));

/** What others can read: the gateway's files and the folder itself. */
const openIn = (folder: string) => [
  ...(modeOf(folder) === "700" ? [] : [`the folder: ${modeOf(folder)}`]),
  ...Object.entries(modesIn(folder)).flatMap(([name, mode]) => (mode === "600" ? [] : [`${name}: ${mode}`])),
];

async function inFolder(work: (folder: string) => Promise<void> | void): Promise<void> {
  const folder = await mkdtemp(join(tmpdir(), "embedgate-private-"));
  try {
    await work(folder);
  } finally {
    rmSync(folder, { recursive: true });
  }
}

describe.skipIf(process.platform === "win32")("only the gateway's own user may read", () => {
  test("the database, its log and index, and the folders created for it", () =>
    inFolder(async (folder) => {
      const data = join(folder, "made", "data");
      const store = await openStore(join(data, "embedgate.db"), realOutside);
      expect(Object.keys(modesIn(data)).sort()).toEqual([
        "embedgate.db",
        "embedgate.db-shm",
        "embedgate.db-wal",
      ]);
      expect(openIn(data)).toEqual([]);
      expect(modeOf(join(folder, "made"))).toBe("700");
      store.close();
    }));

  test("a log that SQLite creates later, after the last one was removed with its last user", () =>
    inFolder(async (folder) => {
      const path = join(folder, "data", "embedgate.db");
      (await openStore(path, realOutside)).close();
      expect(Object.keys(modesIn(join(folder, "data")))).toEqual(["embedgate.db"]);
      const again = await openStore(path, realOutside);
      expect(Object.keys(modesIn(join(folder, "data"))).length).toBe(3);
      expect(openIn(join(folder, "data"))).toEqual([]);
      again.close();
    }));

  test("files that existed before: database, log, cache, process list, and copies of them", () =>
    inFolder(async (folder) => {
      const data = join(folder, "data");
      const path = join(data, "embedgate.db");
      const first = await openStore(path, realOutside);
      copyFileSync(path, `${path}.bak`);
      copyFileSync(path, `${path}-2026-11-28`);
      for (const name of ["-cache", "-cache-wal", "-gateway-1"]) writeFileSync(`${path}${name}`, "");
      for (const name of readdirSync(data)) chmodSync(join(data, name), 0o666);
      chmodSync(data, 0o777);
      const second = await openStore(path, realOutside);
      expect(openIn(data)).toEqual([]);
      second.close();
      first.close();
    }));

  test("the cache on disk, new and existing", () =>
    inFolder((folder) => {
      const path = join(folder, "data", "embedgate.db-cache");
      openFile(path, 10_000_000).close();
      const file = openFile(path, 10_000_000);
      expect(openIn(join(folder, "data"))).toEqual([]);
      file.close();
      chmodSync(path, 0o644);
      openFile(path, 10_000_000).close();
      expect(modeOf(path)).toBe("600");
    }));

  test("the file by which a running gateway is found, even if a half-written one was left", () =>
    inFolder((folder) => {
      const path = join(folder, "embedgate.db");
      writeFileSync(`${path}-gateway-${process.pid}.next`, "{", { mode: 0o644 });
      const announced = announce(path, "SIGHUP", realOutside);
      expect(openIn(folder)).toEqual([]);
      announced.reloaded(true, "");
      expect(openIn(folder)).toEqual([]);
      announced.withdraw();
    }));
});

describe.skipIf(process.platform === "win32")("files of other users are not changed", () => {
  test("a folder with other files in it, and those files", () =>
    inFolder(async (folder) => {
      chmodSync(folder, 0o755);
      writeFileSync(join(folder, "notes.txt"), "", { mode: 0o644 });
      mkdirSync(join(folder, "embedgate.db.d"), { mode: 0o755 });
      const store = await openStore(join(folder, "embedgate.db"), realOutside);
      expect(modeOf(folder)).toBe("755");
      expect(modesIn(folder)).toEqual({
        "embedgate.db": "600",
        "embedgate.db-shm": "600",
        "embedgate.db-wal": "600",
        "embedgate.db.d": "755",
        "notes.txt": "644",
      });
      store.close();
    }));

  test("the target of a link beside the database", () =>
    inFolder(async (folder) => {
      const elsewhere = join(folder, "elsewhere");
      writeFileSync(elsewhere, "", { mode: 0o644 });
      mkdirSync(join(folder, "data"));
      symlinkSync(elsewhere, join(folder, "data", "embedgate.db.bak"));
      const store = await openStore(join(folder, "data", "embedgate.db"), realOutside);
      expect(modeOf(elsewhere)).toBe("644");
      store.close();
    }));
});
