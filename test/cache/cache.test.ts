/**
 * The cache as requests see it: memory over disk, sizes that a reload changes, statistics, and its file beside the database.
 * The model-based test at the end compares it with a plain Map; a new operation of `Cache` is a new step there.
 */
import { describe, expect, test } from "bun:test";
import { existsSync } from "node:fs";
import { join } from "node:path";
import fc from "fast-check";
import { type Cache, openCache } from "../../src/cache/cache";
import type { CacheEntry, CacheKey } from "../../src/cache/entry";
import { fakeOutside } from "../fake-outside";
import { openGateway } from "../gateway";
import { entry, keyOf, written } from "./made";
import { MEGABYTE, onDisk } from "./on-disk";

const one = (number: number, dimensions?: number): [CacheKey, CacheEntry] => [
  keyOf(number),
  entry(number, dimensions),
];
const findOne = (cache: Cache, number: number) => cache.find([keyOf(number)])[0];

describe("the cache", () => {
  test("answers each key in its place, found or not, and counts both", () => {
    const { outside } = fakeOutside();
    const cache = openCache({}, { path: undefined, outside });
    cache.keep(new Map([one(1), one(2)]));
    const found = cache.find([1, 3, 2, 1].map(keyOf));
    expect(found.map(written)).toEqual([entry(1), undefined, entry(2), entry(1)].map(written));
    expect(cache.stats()).toMatchObject({ hits: 3, misses: 1, memoryEntries: 2, diskOn: false });
  });

  test("keeps all of a request's vectors, or none if one of them is invalid", () => {
    const { outside } = fakeOutside();
    const cache = openCache({}, { path: undefined, outside });
    const unsound = { ...entry(2), values: Float32Array.of(1, Number.NaN) };
    expect(() => cache.keep(new Map([one(1), [keyOf(2), unsound]]))).toThrow("not finite");
    expect(findOne(cache, 1)).toBeUndefined();
  });

  test("that is off finds nothing and counts nothing; calls in flight are still shared, and invalid vectors are still refused", () => {
    const { outside } = fakeOutside();
    const cache = openCache(false, { path: undefined, outside });
    cache.keep(new Map([one(1)]));
    expect(findOne(cache, 1)).toBeUndefined();
    expect(cache.stats()).toMatchObject({ hits: 0, misses: 0, memoryBytes: 0, memoryEntries: 0 });
    const leader = cache.flights.board([keyOf(1)], "w");
    expect(cache.flights.board([keyOf(1)], "w").joins).toEqual([keyOf(1)]);
    leader.leave();
    expect(() => cache.keep(new Map([[keyOf(1), { ...entry(1), tokens: -1 }]]))).toThrow("token count");
  });

  test("finds on disk what memory dropped, and keeps it in memory again", async () => {
    await using place = onDisk();
    const cache = openCache(
      { memory_mb: 1, disk_mb: 16 },
      { path: place.path, outside: place.clock.outside },
    );
    for (let number = 0; number < 400; number++) cache.keep(new Map([one(number, 1_536)]));
    expect(cache.stats().memoryEntries).toBeLessThan(200);
    await place.clock.advance(2_000);
    expect(written(findOne(cache, 0))).toEqual(written(entry(0, 1_536)));
    const beside = place.beside();
    beside.run("DELETE FROM entries");
    expect(written(findOne(cache, 0))).toEqual(written(entry(0, 1_536)));
    expect(findOne(cache, 1)).toBeUndefined();
    await place.clock.until(cache.close());
  });

  test("keeps on disk what memory answers often, though the disk is never read for it", async () => {
    await using place = onDisk();
    const opening = { path: place.path, outside: place.clock.outside };
    const cache = openCache({ memory_mb: 16, disk_mb: 1 }, opening);
    for (let number = 0; number < 200; number++) {
      cache.keep(new Map([one(number, 1_536)]));
      if (number % 20 !== 19) continue;
      expect(findOne(cache, 0)).toBeDefined();
      await place.clock.advance(11 * 60_000);
    }
    await place.clock.until(cache.close());
    const after = openCache({ memory_mb: 16, disk_mb: 1 }, opening);
    expect([0, 1, 199].map((number) => findOne(after, number) !== undefined)).toEqual([true, false, true]);
    await place.clock.until(after.close());
  });

  test("with 0 bytes of memory works from disk alone", async () => {
    await using place = onDisk();
    const cache = openCache({ memory_mb: 0, disk_mb: 4 }, { path: place.path, outside: place.clock.outside });
    cache.keep(new Map([one(1)]));
    expect(written(findOne(cache, 1))).toEqual(written(entry(1)));
    expect(cache.stats()).toMatchObject({ memoryBytes: 0, diskOn: true });
    await place.clock.until(cache.close());
  });

  test("a disk cache without a folder is reported, and memory works", () => {
    const { outside, logs } = fakeOutside();
    const cache = openCache({ disk_mb: 4 }, { path: undefined, outside });
    expect(logs.map(({ message }) => message)).toEqual(["the disk cache is off"]);
    cache.keep(new Map([one(1)]));
    expect(findOne(cache, 1)).toBeDefined();
  });

  test("changes its sizes while it serves, and keeps what fits", async () => {
    await using place = onDisk();
    const cache = openCache({ memory_mb: 4, disk_mb: 0 }, { path: place.path, outside: place.clock.outside });
    for (let number = 0; number < 400; number++) cache.keep(new Map([one(number, 1_536)]));
    cache.apply({ memory_mb: 1, disk_mb: 4 });
    expect(cache.stats().memoryBytes).toBeLessThanOrEqual(MEGABYTE);
    expect(findOne(cache, 399)).toBeDefined();
    cache.keep(new Map([one(1_000)]));
    // Before it is written: closing the replaced cache writes it, and the next one reads it there.
    cache.apply({ memory_mb: 0, disk_mb: 2 });
    await place.clock.advance(1_000);
    expect(written(findOne(cache, 1_000))).toEqual(written(entry(1_000)));
    cache.apply(false);
    expect(findOne(cache, 1_000)).toBeUndefined();
    expect(cache.stats()).toMatchObject({ memoryBytes: 0, diskOn: false });
    await place.clock.until(cache.close());
    expect(place.warnings()).toEqual([]);
    expect(place.clock.sleeping()).toEqual([]);
  });
});

describe("in the gateway", () => {
  const YAML = `
cache: { disk_mb: 4 }
providers:
  fake: { plugin: fake, timeout_ms: 1000 }
models:
  fake: { routes: [ { provider: fake } ] }
`;

  test("its file is beside the database, and is written when the gateway closes", async () => {
    await using opened = await openGateway({ yaml: YAML });
    const path = `${opened.gateway.config().database.path}-cache`;
    expect(existsSync(path)).toBe(true);
    opened.gateway.cache.keep(new Map([one(1)]));
    await opened.gateway.close();
    const { outside, until } = fakeOutside();
    const after = openCache({ disk_mb: 4 }, { path, outside });
    expect(written(findOne(after, 1))).toEqual(written(entry(1)));
    await until(after.close());
  });

  test("a database in memory has no disk cache beside it", async () => {
    await using opened = await openGateway({ yaml: `database: "sqlite::memory:"\n${YAML}` });
    expect(opened.gateway.cache.stats().diskOn).toBe(false);
    expect(existsSync(join(opened.folder, ":memory:-cache"))).toBe(false);
    expect(opened.logs.map(({ message }) => message)).toContain("the disk cache is off");
  });

  test("a reload changes its sizes at once", async () => {
    await using opened = await openGateway({ yaml: YAML });
    const { gateway } = opened;
    gateway.cache.keep(new Map([one(1)]));
    expect(gateway.reload({ ...gateway.config(), cache: false })).toEqual([]);
    expect(findOne(gateway.cache, 1)).toBeUndefined();
    gateway.reload({ ...gateway.config(), cache: { memory_mb: 1 } });
    gateway.cache.keep(new Map([one(2)]));
    expect(findOne(gateway.cache, 2)).toBeDefined();
  });
});

describe("compared with a plain Map", () => {
  const KEYS = 60;
  const places = fc.array(fc.nat(KEYS - 1), { minLength: 1, maxLength: 12, size: "max" });
  const step = fc.oneof(
    { weight: 6, arbitrary: fc.record({ does: fc.constant("find" as const), places }) },
    { weight: 6, arbitrary: fc.record({ does: fc.constant("keep" as const), places }) },
    { weight: 3, arbitrary: fc.record({ does: fc.constant("wait" as const), ms: fc.nat(2_000) }) },
    { weight: 1, arbitrary: fc.record({ does: fc.constant("restart" as const) }) },
    { weight: 1, arbitrary: fc.record({ does: fc.constant("resize" as const), mb: fc.nat(3) }) },
    { weight: 1, arbitrary: fc.record({ does: fc.constant("turn off and on" as const) }) },
    {
      weight: 1,
      arbitrary: fc.record({ does: fc.constant("damage" as const), at: fc.nat(400), key: fc.nat(KEYS - 1) }),
    },
    { weight: 1, arbitrary: fc.record({ does: fc.constant("lock" as const), ms: fc.nat(7_000) }) },
  );

  // Of two vectors kept under one key either is right: both were checked for that input. The disk may be behind memory.
  test("whatever happens, a found vector was kept under its key, and what was just kept is found", async () => {
    let hits = 0;
    let misses = 0;
    await fc.assert(
      fc.asyncProperty(fc.array(step, { minLength: 10, maxLength: 80, size: "max" }), async (steps) => {
        await using place = onDisk();
        const { clock } = place;
        const opening = { path: place.path, outside: clock.outside };
        const open = () => openCache({ memory_mb: 1, disk_mb: 1 }, opening);
        let cache = open();
        const model = new Map<CacheKey, unknown[]>();
        let memoryOn = true;
        let kept = 0;
        for (const each of steps) {
          if (each.does === "find") {
            const keys = each.places.map(keyOf);
            for (const [i, found] of cache.find(keys).entries()) {
              if (found === undefined) {
                misses++;
                continue;
              }
              hits++;
              expect(model.get(keys[i] ?? "") ?? []).toContainEqual(written(found));
              // The caller may change its copy without affecting others.
              found.values.fill(0);
            }
          } else if (each.does === "keep") {
            const entries = new Map(
              each.places.map((name) => [keyOf(name), entry(kept++, 3_000 + (name % 50))] as const),
            );
            cache.keep(entries);
            const now = memoryOn ? cache.find([...entries.keys()]) : [...entries.values()];
            expect(now.map(written)).toEqual([...entries.values()].map(written));
            for (const [key, given] of entries) {
              model.set(key, [...(model.get(key) ?? []), written(given)]);
            }
            for (const given of entries.values()) given.values.fill(7);
          } else if (each.does === "wait") {
            await clock.advance(each.ms);
          } else if (each.does === "restart") {
            await clock.until(cache.close());
            cache = open();
            memoryOn = true;
          } else if (each.does === "resize") {
            memoryOn = each.mb % 2 === 1;
            cache.apply({ memory_mb: each.mb % 2, disk_mb: each.mb });
          } else if (each.does === "turn off and on") {
            cache.apply(false);
            cache.apply({ memory_mb: 1, disk_mb: 1 });
            memoryOn = true;
          } else if (!existsSync(place.path)) {
            // Only an existing file can be damaged or locked.
          } else if (each.does === "damage") {
            const beside = place.beside();
            const turned = `substr(row, 1, ${each.at}) || x'5a' || substr(row, ${each.at + 2})`;
            beside.run(`UPDATE entries SET row = CAST(${turned} AS BLOB) WHERE key = x'${keyOf(each.key)}'`);
          } else {
            const beside = place.beside();
            beside.run("BEGIN IMMEDIATE");
            await clock.advance(each.ms);
            beside.run("ROLLBACK");
          }
        }
        await clock.until(cache.close());
        expect(clock.sleeping()).toEqual([]);
      }),
      { numRuns: 60, seed: 20_270_115 },
    );
    expect(hits).toBeGreaterThan(1_000);
    expect(misses).toBeGreaterThan(1_000);
  });
});
