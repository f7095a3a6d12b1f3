/**
 * The disk cache with something wrong with its file: no wrong vector, no thrown error, no waiting, and a log line.
 * A new way for a file to be wrong is a test here.
 */

import { Database } from "bun:sqlite";
import { describe, expect, test } from "bun:test";
import { copyFileSync, existsSync, mkdirSync, readFileSync, truncateSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { type Disk, openDisk } from "../../src/cache/disk";
import { fakeOutside } from "../fake-outside";
import { entry, keyOf, written } from "./made";
import { MEGABYTE, type OnDisk, onDisk } from "./on-disk";

const ALL = Array.from({ length: 200 }, (_, i) => i);

/** Two hundred entries, written and closed. */
async function filled(place: OnDisk): Promise<void> {
  const disk = place.open();
  for (const number of ALL) disk.keep(keyOf(number), entry(number, 200));
  await place.close(disk);
}

/** How many are found; each of them must be right. */
function soundOnes(disk: Disk): number {
  const found = disk.find(ALL.map(keyOf));
  for (const number of ALL) {
    const one = found.get(keyOf(number));
    if (one) expect(written(one)).toEqual(written(entry(number, 200)));
  }
  return found.size;
}

/** A new entry is kept and found after the next opening. */
async function works(place: OnDisk, disk: Disk): Promise<boolean> {
  disk.keep(keyOf("new"), entry(7));
  await place.close(disk);
  return place.open().find([keyOf("new")]).size === 1;
}

describe("a damaged row", () => {
  const damages: readonly (readonly [string, string])[] = [
    [
      "with a bit turned",
      "UPDATE entries SET row = CAST(substr(row, 1, 40) || x'81' || substr(row, 42) AS BLOB) WHERE key = ?1",
    ],
    ["that was cut", "UPDATE entries SET row = CAST(substr(row, 1, 100) AS BLOB) WHERE key = ?1"],
    ["that is a text", "UPDATE entries SET row = 'a text' WHERE key = ?1"],
    ["that is empty", "UPDATE entries SET row = x'' WHERE key = ?1"],
    [
      "that is another key's",
      `UPDATE entries SET row = (SELECT row FROM entries WHERE key = x'${keyOf(4)}') WHERE key = ?1`,
    ],
  ];

  test.each([...damages])(
    "%s is a miss, is deleted from the file, and can be kept again",
    async (_, damage) => {
      await using place = onDisk();
      await filled(place);
      const beside = place.beside();
      const key = Buffer.from(keyOf(3), "hex");
      expect(beside.query<unknown, [Uint8Array]>(damage).run(key).changes).toBe(1);
      const disk = place.open();
      expect(soundOnes(disk)).toBe(199);
      expect(disk.find([keyOf(3)]).size).toBe(0);
      await place.clock.advance(1_000);
      const left = beside.query("SELECT count(*) AS rows FROM entries").get();
      expect(left).toEqual({ rows: 199 });
      disk.keep(keyOf(3), entry(3, 200));
      await place.close(disk);
      expect(soundOnes(place.open())).toBe(200);
    },
  );

  test("is replaced by a new entry before it is deleted", async () => {
    await using place = onDisk();
    await filled(place);
    place.beside().run("UPDATE entries SET row = x'00'");
    const disk = place.open();
    expect(soundOnes(disk)).toBe(0);
    for (const number of ALL) disk.keep(keyOf(number), entry(number, 200));
    expect(soundOnes(disk)).toBe(200);
    await place.close(disk);
    expect(soundOnes(place.open())).toBe(200);
  });
});

describe("a damaged file", () => {
  const SAYS = ["the disk cache starts empty"];

  test.each<[string, (path: string) => void]>([
    [
      "of garbage",
      (path) => writeFileSync(path, "this was never a database, and it is long enough to look at"),
    ],
    ["of random bytes", (path) => writeFileSync(path, crypto.getRandomValues(new Uint8Array(20_000)))],
    ["cut in the middle", (path) => truncateSync(path, 20_000)],
    ["cut inside its first page", (path) => truncateSync(path, 700)],
    ["cut inside its header", (path) => truncateSync(path, 50)],
  ])("%s starts over, says so once, and works", async (_, damage) => {
    await using place = onDisk();
    await filled(place);
    damage(place.path);
    const disk = place.open();
    soundOnes(disk);
    expect(place.warnings()).toEqual(SAYS);
    expect(await works(place, disk)).toBe(true);
    expect(place.warnings()).toEqual(SAYS);
  });

  test.each<[string, (path: string) => void]>([
    ["of nothing at all", (path) => writeFileSync(path, "")],
    [
      "whose tables were never made",
      (path) => {
        const beside = new Database(path);
        beside.run("DROP TABLE entries");
        beside.close();
      },
    ],
  ])("%s is a new one", async (_, damage) => {
    await using place = onDisk();
    await filled(place);
    damage(place.path);
    expect(await works(place, place.open())).toBe(true);
    expect(place.warnings()).toEqual([]);
  });

  test.each<[string, string]>([
    ["of another version", "PRAGMA user_version = 7"],
    ["without its index", "DROP INDEX entries_by_use"],
    ["with other columns", "ALTER TABLE entries RENAME COLUMN row TO value"],
  ])("%s starts over", async (_, change) => {
    await using place = onDisk();
    await filled(place);
    place.beside().run(change);
    const disk = place.open();
    expect(soundOnes(disk)).toBe(0);
    expect(await works(place, disk)).toBe(true);
    expect(place.warnings()).toEqual(SAYS);
  });

  test("that loses its table while in use starts over with the next request, and keeps what is queued", async () => {
    await using place = onDisk();
    await filled(place);
    const disk = place.open();
    disk.keep(keyOf("waits"), entry(5));
    place.beside().run("DROP TABLE entries");
    expect(soundOnes(disk)).toBe(0);
    await place.close(disk);
    expect(place.open().find([keyOf("waits")]).size).toBe(1);
    expect(place.warnings()).toEqual(SAYS);
  });

  test("that is damaged again after it started over is left alone: the disk cache turns off", async () => {
    await using place = onDisk();
    await filled(place);
    const disk = place.open();
    place.beside().run("DROP TABLE entries");
    expect(soundOnes(disk)).toBe(0);
    disk.keep(keyOf(1), entry(1, 200));
    await place.clock.advance(1_000);
    place.beside().run("DROP TABLE entries");
    expect(soundOnes(disk)).toBe(0);
    expect(disk.state()).toEqual({ bytes: 0, on: false });
    disk.keep(keyOf(2), entry(2, 200));
    await place.close(disk);
    expect(place.warnings()).toEqual([...SAYS, "the disk cache is off until the next start"]);
  });

  test("with flipped bytes anywhere never gives a wrong vector, and never an error", async () => {
    await using place = onDisk();
    await filled(place);
    const whole = readFileSync(place.path);
    const random = fakeOutside({}, 20_270_115).outside.random;
    let intact = 0;
    for (let run = 0; run < 150; run++) {
      const damaged = Buffer.from(whole);
      const places = 1 + Math.floor(random() * 40);
      for (let i = 0; i < places; i++) {
        // The first page describes everything else, so it gets more flips.
        const at = Math.floor(random() * (run % 3 === 0 ? 4_096 : damaged.length));
        damaged[at] = Math.floor(random() * 256);
      }
      const path = join(place.folder, `damaged-${run}`);
      writeFileSync(path, damaged);
      const clock = fakeOutside();
      const disk = openDisk(path, 4 * MEGABYTE, clock.outside);
      intact += soundOnes(disk);
      for (const number of ALL) disk.keep(keyOf(number), entry(number, 200));
      soundOnes(disk);
      await clock.advance(1_000);
      soundOnes(disk);
      await clock.until(disk.close());
      expect(clock.sleeping()).toEqual([]);
    }
    // Damage was found, and the file was not simply thrown away each time.
    expect(intact).toBeGreaterThan(1_000);
    expect(intact).toBeLessThan(150 * 200);
  });

  test("as a killed process leaves it has what was written, and nothing wrong", async () => {
    await using place = onDisk();
    const disk = place.open();
    for (const number of ALL) {
      disk.keep(keyOf(number), entry(number, 200));
      if (number === 120) await place.clock.advance(1_000);
    }
    const copy = join(place.folder, "left-behind");
    for (const suffix of ["", "-wal"]) copyFileSync(`${place.path}${suffix}`, `${copy}${suffix}`);
    const { outside, until, logs } = fakeOutside();
    const after = openDisk(copy, 4 * MEGABYTE, outside);
    expect(soundOnes(after)).toBe(121);
    expect(logs).toEqual([]);
    await until(after.close());
  });
});

describe("a file that is not the cache's", () => {
  const SAYS = ["the disk cache is off until the next start"];

  /** Nothing fails, nothing is found, and the log has the reason. */
  async function isOff(place: OnDisk): Promise<string> {
    const disk = place.open();
    disk.keep(keyOf(1), entry(1, 200));
    disk.use([keyOf(1)]);
    expect(soundOnes(disk)).toBe(0);
    expect(disk.state()).toEqual({ bytes: 0, on: false });
    await place.close(disk);
    expect(place.warnings()).toEqual(SAYS);
    return String(place.clock.logs[0]?.about.reason);
  }

  test.each<[string, string]>([
    ["somebody's database", "CREATE TABLE ledger (id INTEGER)"],
    ["a database with a table of the same name", "CREATE TABLE entries (id INTEGER)"],
    ["another program's database, empty as it is", "PRAGMA application_id = 1196444487"],
  ])("%s is left as it is, and the disk cache is off", async (_, make) => {
    await using place = onDisk();
    const owner = new Database(place.path);
    owner.run(make);
    owner.close();
    const before = readFileSync(place.path);
    expect(await isOff(place)).toContain("is a database of something else");
    expect(readFileSync(place.path).equals(before)).toBe(true);
  });

  test("a foreign database is not touched even if it is damaged", async () => {
    await using place = onDisk();
    const owner = new Database(place.path);
    owner.run("CREATE TABLE ledger (id INTEGER)");
    for (let i = 0; i < 100; i++) owner.run(`CREATE TABLE ledger_${i} (id INTEGER)`);
    owner.close();
    truncateSync(place.path, 5_000);
    const before = readFileSync(place.path);
    expect(await isOff(place)).toContain("a damaged database of something else");
    expect(readFileSync(place.path).equals(before)).toBe(true);
  });

  test("a folder is left alone", async () => {
    await using place = onDisk();
    mkdirSync(place.path);
    expect(await isOff(place)).toContain("unable to open");
  });

  test("a path through a file leads nowhere", async () => {
    await using place = onDisk();
    writeFileSync(join(place.folder, "file"), "");
    const { outside, logs, until } = fakeOutside();
    const disk = openDisk(join(place.folder, "file", "cache"), MEGABYTE, outside);
    disk.keep(keyOf(1), entry(1, 200));
    expect(soundOnes(disk)).toBe(0);
    expect(logs.map(({ message }) => message)).toEqual(SAYS);
    await until(disk.close());
  });
});

describe("a locked file", () => {
  test("is still read while another process writes, and is written when that is done", async () => {
    await using place = onDisk();
    await filled(place);
    const disk = place.open();
    const beside = place.beside();
    beside.run("BEGIN IMMEDIATE");
    disk.keep(keyOf("new"), entry(5));
    await place.clock.advance(2_000);
    expect(soundOnes(disk)).toBe(200);
    expect(disk.find([keyOf("new")]).size).toBe(1);
    // It waits by the clock, not inside SQLite.
    const [wait = 0, ...others] = place.clock.sleeping();
    expect([wait > 0 && wait <= 50, others]).toEqual([true, []]);
    beside.run("ROLLBACK");
    await place.clock.advance(1_000);
    const row = beside.query("SELECT count(*) AS rows FROM entries").get();
    expect([row, disk.state().on, place.warnings()]).toEqual([{ rows: 201 }, true, []]);
  });

  test("that cannot even be read finds nothing meanwhile, and everything afterwards", async () => {
    await using place = onDisk();
    await filled(place);
    const beside = place.beside();
    beside.run("PRAGMA locking_mode = EXCLUSIVE");
    beside.run("BEGIN IMMEDIATE");
    const disk = place.open();
    expect(soundOnes(disk)).toBe(0);
    disk.keep(keyOf("new"), entry(5));
    await place.clock.advance(2_000);
    expect(disk.find([keyOf("new")]).size).toBe(1);
    beside.run("ROLLBACK");
    beside.close();
    await place.clock.advance(1_000);
    expect(soundOnes(disk)).toBe(200);
    expect([disk.state().on, place.warnings()]).toEqual([true, []]);
  });

  test("that stays locked turns the disk cache off, with a warning and without a timer left", async () => {
    await using place = onDisk();
    await filled(place);
    const disk = place.open();
    place.beside().run("BEGIN IMMEDIATE");
    disk.keep(keyOf("new"), entry(5));
    await place.clock.advance(60_000);
    expect(disk.state()).toEqual({ bytes: 0, on: false });
    expect(soundOnes(disk)).toBe(0);
    expect(place.warnings()).toEqual(["the disk cache is off until the next start"]);
    expect(place.clock.sleeping()).toEqual([]);
  });

  test("does not keep the gateway from closing", async () => {
    await using place = onDisk();
    const disk = place.open();
    disk.keep(keyOf("new"), entry(5));
    place.beside().run("BEGIN IMMEDIATE");
    await place.close(disk);
    expect(place.warnings()).toEqual(["the disk cache is off until the next start"]);
  });
});

describe("a full disk", () => {
  test("turns the disk cache off with a warning, and what was written before is intact", async () => {
    await using place = onDisk();
    // This process may not write files larger than 2 MB; the signal for exceeding that is ignored.
    const child = Bun.spawn(
      [
        "sh",
        "-c",
        'trap "" XFSZ; ulimit -f 4096; exec "$0" "$@"',
        process.execPath,
        join(import.meta.dir, "writes-much.ts"),
        place.path,
      ],
      { stdout: "pipe", stderr: "inherit" },
    );
    const said: unknown = JSON.parse(await new Response(child.stdout).text());
    expect(await child.exited).toBe(0);
    expect(said).toMatchObject({
      found: 0,
      logs: [{ level: "warn", message: "the disk cache is off until the next start" }],
      sleeping: [],
    });
    expect(existsSync(place.path)).toBe(true);
    const disk = place.open(64 * MEGABYTE);
    const numbers = Array.from({ length: 2_700 }, (_, i) => i);
    const found = disk.find(numbers.map(keyOf));
    expect(found.size).toBeGreaterThan(50);
    expect(found.size).toBeLessThan(2_000);
    for (const number of numbers) {
      const one = found.get(keyOf(number));
      if (one) expect(written(one)).toEqual(written(entry(number, 1_536)));
    }
    expect(place.warnings()).toEqual([]);
  });
});
