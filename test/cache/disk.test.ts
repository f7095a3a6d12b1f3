/**
 * The disk cache with an intact file: entries survive, the size limit holds, timing and queue work together.
 * disk-damage.test.ts has damaged, foreign, locked and full files.
 */
import { describe, expect, test } from "bun:test";
import { join } from "node:path";
import { openDisk } from "../../src/cache/disk";
import type { CacheKey } from "../../src/cache/entry";
import { fakeOutside } from "../fake-outside";
import { entry, keyOf, written } from "./made";
import { MEGABYTE, onDisk } from "./on-disk";

const numbers = (from: number, to: number) => Array.from({ length: to - from }, (_, i) => from + i);
const usedOf = (beside: ReturnType<ReturnType<typeof onDisk>["beside"]>, key: CacheKey) =>
  beside
    .query<{ used: number }, [Uint8Array]>("SELECT used FROM entries WHERE key = ?1")
    .get(Buffer.from(key, "hex"))?.used;

describe("the disk cache", () => {
  test("finds after a restart what was kept before, bit for bit", async () => {
    await using place = onDisk();
    const before = place.open();
    for (const number of numbers(0, 300)) before.keep(keyOf(number), entry(number, 64));
    await place.close(before);
    const after = place.open();
    const found = after.find(numbers(0, 301).map(keyOf));
    expect(found.size).toBe(300);
    for (const number of numbers(0, 300)) {
      expect(written(found.get(keyOf(number)))).toEqual(written(entry(number, 64)));
    }
    expect(place.warnings()).toEqual([]);
  });

  test("finds at once what is queued for writing", async () => {
    await using place = onDisk();
    const disk = place.open();
    const given = entry(1);
    disk.keep(keyOf("a"), given);
    given.values.fill(0);
    expect(written(disk.find([keyOf("a")]).get(keyOf("a")))).toEqual(written(entry(1)));
  });

  test("writes a moment later by itself, and then has no timer left", async () => {
    await using place = onDisk();
    const disk = place.open();
    disk.keep(keyOf("a"), entry(1));
    const beside = place.beside();
    const rows = () => beside.query("SELECT count(*) AS rows FROM entries").get();
    expect(rows()).toEqual({ rows: 0 });
    await place.clock.advance(1_000);
    expect(rows()).toEqual({ rows: 1 });
    expect(place.clock.sleeping()).toEqual([]);
  });

  test("keeps the newer of two vectors under one key, written or not", async () => {
    await using place = onDisk();
    const disk = place.open();
    disk.keep(keyOf("a"), entry(1));
    disk.keep(keyOf("a"), entry(2));
    expect(written(disk.find([keyOf("a")]).get(keyOf("a")))).toEqual(written(entry(2)));
    await place.clock.advance(1_000);
    disk.keep(keyOf("a"), entry(3));
    await place.close(disk);
    expect(
      written(
        place
          .open()
          .find([keyOf("a")])
          .get(keyOf("a")),
      ),
    ).toEqual(written(entry(3)));
  });

  test.each([1, 4])(
    "stays within its bound of %d MB while ten times as much is written",
    async (megabytes) => {
      await using place = onDisk();
      const disk = place.open(megabytes * MEGABYTE);
      const rowsToWrite = Math.ceil((10 * megabytes * MEGABYTE) / 6_000);
      for (const number of numbers(0, rowsToWrite)) {
        disk.keep(keyOf(number), entry(number, 1_500));
        if (number % 20 === 19) {
          await place.clock.advance(300);
          expect(place.bytesOnDisk()).toBeLessThanOrEqual(megabytes * MEGABYTE);
        }
      }
      await place.clock.advance(10_000);
      expect(place.bytesOnDisk()).toBeLessThanOrEqual(megabytes * MEGABYTE);
      expect(disk.state().bytes).toBeLessThanOrEqual(megabytes * MEGABYTE);
      // Limited, and still useful: more than a quarter of the space holds vectors, the latest ones.
      const found = disk.find(numbers(0, rowsToWrite).map(keyOf));
      expect(found.size * 6_000).toBeGreaterThan((megabytes * MEGABYTE) / 4);
      expect(found.has(keyOf(rowsToWrite - 1))).toBe(true);
      expect(found.has(keyOf(0))).toBe(false);
      expect(place.warnings()).toEqual([]);
    },
  );

  test("keeps rows of every length within its size limit", async () => {
    await using place = onDisk();
    const disk = place.open(MEGABYTE);
    for (const number of numbers(0, 1_500)) {
      const dimensions = 1 + ((number * 7_919) % 3_500);
      disk.keep(keyOf(number), entry(number, dimensions));
      if (number % 50 === 49) {
        await place.clock.advance(300);
        expect(place.bytesOnDisk()).toBeLessThanOrEqual(MEGABYTE);
      }
    }
    await place.clock.advance(10_000);
    for (const [key, found] of disk.find(numbers(0, 1_500).map(keyOf))) {
      const number = numbers(0, 1_500).find((each) => keyOf(each) === key) ?? -1;
      expect(written(found)).toEqual(written(entry(number, 1 + ((number * 7_919) % 3_500))));
    }
  });

  test("drops the least recently used first, whichever cache answered", async () => {
    await using place = onDisk();
    const disk = place.open(MEGABYTE);
    for (const number of numbers(0, 60)) disk.keep(keyOf(number), entry(number, 1_500));
    await place.clock.advance(1_000);
    // One is found here, the other was answered from memory.
    disk.find([keyOf(0)]);
    disk.use([keyOf(1)]);
    await place.clock.advance(1_000);
    for (const number of numbers(60, 120)) {
      disk.keep(keyOf(number), entry(number, 1_500));
      if (number % 10 === 9) await place.clock.advance(1_000);
    }
    const found = disk.find(numbers(0, 120).map(keyOf));
    expect([0, 1, 2, 3, 119].map((number) => found.has(keyOf(number)))).toEqual([
      true,
      true,
      false,
      false,
      true,
    ]);
  });

  test("records a use once in ten minutes, not for each hit", async () => {
    await using place = onDisk();
    const disk = place.open();
    disk.keep(keyOf("a"), entry(1));
    await place.clock.advance(1_000);
    const beside = place.beside();
    const uses = new Set<number | undefined>();
    for (let second = 0; second < 1_500; second++) {
      disk.find([keyOf("a")]);
      await place.clock.advance(1_000);
      uses.add(usedOf(beside, keyOf("a")));
    }
    expect(uses.size).toBe(3);
  });

  test("gives space back when it is opened with a smaller limit", async () => {
    await using place = onDisk();
    const large = place.open(8 * MEGABYTE);
    for (const number of numbers(0, 900)) large.keep(keyOf(number), entry(number, 1_500));
    await place.close(large);
    expect(place.bytesOnDisk()).toBeGreaterThan(3 * MEGABYTE);
    const small = place.open(MEGABYTE);
    await place.clock.advance(60_000);
    expect(place.bytesOnDisk()).toBeLessThanOrEqual(MEGABYTE);
    expect(place.clock.sleeping()).toEqual([]);
    expect(written(small.find([keyOf(899)]).get(keyOf(899)))).toEqual(written(entry(899, 1_500)));
  });

  test("does not keep an entry that would take a large part of it, and goes on", async () => {
    await using place = onDisk();
    const disk = place.open(MEGABYTE);
    disk.keep(keyOf("large"), entry(1, 10_000));
    disk.keep(keyOf("usual"), entry(2));
    await place.close(disk);
    const found = place.open(MEGABYTE).find([keyOf("large"), keyOf("usual")]);
    expect([...found.keys()]).toEqual([keyOf("usual")]);
  });

  test("keeps nothing more while the queue is full, and continues when it has been written", async () => {
    await using place = onDisk();
    const disk = place.open(64 * MEGABYTE);
    for (const number of numbers(0, 40)) disk.keep(keyOf(number), entry(number, 240_000));
    const kept = disk.find(numbers(0, 40).map(keyOf)).size;
    expect(kept).toBeLessThan(40);
    expect(kept).toBeGreaterThan(30);
    await place.clock.advance(10_000);
    disk.keep(keyOf(99), entry(99));
    expect(disk.find(numbers(0, 100).map(keyOf)).size).toBe(kept + 1);
  });

  test("a large queue is written in turns, with other work in between", async () => {
    await using place = onDisk();
    const disk = place.open(16 * MEGABYTE);
    for (const number of numbers(0, 700)) disk.keep(keyOf(number), entry(number, 1_536));
    const beside = place.beside();
    const rows = () =>
      beside.query<{ rows: number }, []>("SELECT count(*) AS rows FROM entries").get()?.rows ?? 0;
    const seen = new Set<number>();
    for (let turn = 0; turn < 50; turn++) {
      await new Promise<void>((resolve) => setImmediate(resolve));
      seen.add(rows());
      await place.clock.advance(0);
    }
    await place.clock.advance(1_000);
    expect(rows()).toBe(700);
    expect(seen.size).toBeGreaterThan(1);
  });

  test("closing writes what is queued, without a moving clock", async () => {
    await using place = onDisk();
    const disk = place.open(16 * MEGABYTE);
    for (const number of numbers(0, 1_000)) disk.keep(keyOf(number), entry(number, 1_536));
    await disk.close();
    expect(place.open(16 * MEGABYTE).find(numbers(0, 1_000).map(keyOf)).size).toBe(1_000);
  });

  test("after closing, nothing is found or kept, and nothing fails", async () => {
    await using place = onDisk();
    const disk = place.open();
    disk.keep(keyOf("a"), entry(1));
    await place.close(disk);
    disk.keep(keyOf("b"), entry(2));
    disk.use([keyOf("a")]);
    expect(disk.find([keyOf("a"), keyOf("b")]).size).toBe(0);
    expect(disk.state().on).toBe(false);
    expect(place.clock.sleeping()).toEqual([]);
  });

  test("two processes share a file: each finds what the other wrote", async () => {
    await using place = onDisk();
    const [one, other] = [place.open(), place.open()];
    for (const number of numbers(0, 50)) (number % 2 ? one : other).keep(keyOf(number), entry(number));
    await place.clock.advance(5_000);
    for (const disk of [one, other]) expect(disk.find(numbers(0, 50).map(keyOf)).size).toBe(50);
    expect(place.warnings()).toEqual([]);
  });

  test("creates the folder of its file", async () => {
    await using place = onDisk();
    const { outside, until } = fakeOutside();
    const path = join(place.folder, "a", "b", "cache");
    const disk = openDisk(path, MEGABYTE, outside);
    disk.keep(keyOf("a"), entry(1));
    await until(disk.close());
    const again = openDisk(path, MEGABYTE, outside);
    expect(again.find([keyOf("a")]).size).toBe(1);
    await until(again.close());
  });
});
