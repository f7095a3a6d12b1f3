/**
 * Rate limits that several processes share: together they take from a bucket exactly what a single process could.
 * The buckets themselves are tested with requests, in test/books/balances.test.ts.
 */
import { describe, expect, test } from "bun:test";
import { join } from "node:path";
import { createRateLimits, LIMIT_WORDS, limitWordsFor, SHARED_BUCKETS } from "../../src/callers/rate-limits";
import { openClaims, wordsFor } from "../../src/machine/claims";
import { realOutside } from "../../src/network/real-outside";
import { createRegionFile } from "../../src/sharing/region";
import { byTwo } from "../processes/copies";
import { postTo, startServing, startUpstream, temporaryFolder } from "../serving";

const LINUX = process.platform === "linux";

test.skipIf(!LINUX)("four processes at full speed take exactly what is in a bucket", async () => {
  const region = createRegionFile(`test-${process.pid}`, realOutside);
  const children = Array.from({ length: 4 }, () =>
    Bun.spawn([process.execPath, join(import.meta.dir, "takes-much.ts"), "20000", "30000"], {
      stdio: ["ignore", "pipe", "inherit", region.descriptor],
    }),
  );
  const taken = await Promise.all(
    children.map(async ({ stdout }) => Number(await new Response(stdout).text())),
  );
  region.close();
  expect(taken.reduce((sum, one) => sum + one, 0)).toBe(30_000);
});

test.skipIf(!LINUX)("two processes let through what one would", async () => {
  using upstream = startUpstream();
  using folder = temporaryFolder({
    "gateway.yaml": byTwo(upstream, "workspace_defaults: { requests_per_minute: 2 }\n"),
  });
  await using child = await startServing(folder.path);
  const statuses = await Promise.all(
    Array.from(
      { length: 64 },
      async (_, i) => (await postTo(child.url, { model: "m", input: `${i}` })).status,
    ),
  );
  expect(statuses.filter((status) => status === 200)).toHaveLength(2);
  expect(statuses.filter((status) => status === 429)).toHaveLength(62);
});

test("a full table reuses the slot of a value that may go, and no other", () => {
  const { placeOf, values } = openClaims(new BigInt64Array(wordsFor(8)), {
    mayGo: (value) => value === 0n,
  });
  const places = new Set(Array.from({ length: 8 }, (_, i) => placeOf(`name ${i}`)));
  expect(places.size).toBe(8);
  for (const place of places) Atomics.store(values, place ?? -1, 1n);
  expect(placeOf("another")).toBeUndefined();
  expect(placeOf("name 3")).toBeNumber();
  Atomics.store(values, placeOf("name 3") ?? -1, 0n);
  expect(placeOf("another")).toBeNumber();
});

const SEED = Uint8Array.of(1, 2, 3, 4);
const limited = (name: string) => ({ name, requestsPerMinute: 2, tokensPerMinute: undefined });
const standingStill = { monotonic: () => 1_000_000 };

/** How many of several simultaneous requests the workspace's limit lets through. */
function passing(limits: ReturnType<typeof createRateLimits>, name: string): number {
  return Array.from({ length: 5 }).filter(() => {
    try {
      limits.takeRequest(limited(name));
      return true;
    } catch {
      return false;
    }
  }).length;
}

test("names chosen to collide leave no workspace without its limit", () => {
  // Knowing the hash, an attacker finds names for all 64 slots that are searched for "mine".
  const places = (LIMIT_WORDS - SHARED_BUCKETS) / 3;
  const startOf = (name: string) => Number(BigInt.asUintN(32, Bun.hash.wyhash(`requests ${name}`))) % places;
  const crowd: string[] = [];
  for (let i = 0; crowd.length < 128; i++) {
    const name = `crowd ${i}`;
    const distance = startOf(name) - startOf("mine");
    if (distance >= 0 && distance < 16) crowd.push(name);
  }
  const limits = createRateLimits(standingStill, SEED);
  for (const name of crowd) passing(limits, name);
  expect(passing(limits, "mine")).toBe(2);
});

test("the slots of caller-chosen names depend on the seed", () => {
  const placesBy = (seed: Uint8Array) => {
    const { placeOf } = openClaims(new BigInt64Array(wordsFor(65_536)), { seed });
    return ["a", "b", "c"].map(placeOf);
  };
  expect(placesBy(SEED)).toEqual(placesBy(SEED));
  expect(placesBy(SEED)).not.toEqual(placesBy(Uint8Array.of(4, 3, 2, 1)));
});

test("if no slot is left, workspaces share a limit: none is without one", () => {
  const limits = createRateLimits(standingStill, SEED, new BigInt64Array(limitWordsFor(4)));
  const passed = Array.from({ length: 200 }, (_, i) => passing(limits, `team ${i}`));
  expect(passed.filter((count) => count > 2)).toEqual([]);
  expect(passed.filter((count) => count === 2).length).toBeGreaterThan(100);
});

describe("a limit that is changed", () => {
  const at = { ms: 1_000_000 };
  const clock = { monotonic: () => at.ms };
  const words = () => new BigInt64Array(LIMIT_WORDS);
  const by = (requestsPerMinute: number) => ({ name: "team", requestsPerMinute, tokensPerMinute: undefined });
  const left = (limits: ReturnType<typeof createRateLimits>, limit: number) =>
    Number(limits.headers(by(limit))["x-ratelimit-remaining-requests"]);

  test("keeps what was used, not what was left: raised, there is more at once", () => {
    const limits = createRateLimits(clock, SEED, words());
    for (let i = 0; i < 5; i++) limits.takeRequest(by(5));
    expect(() => limits.takeRequest(by(5))).toThrow("5 requests per minute (0 of 5 left). Try again in 12s.");
    expect(left(limits, 600)).toBe(595);
    for (let i = 0; i < 595; i++) limits.takeRequest(by(600));
    expect(() => limits.takeRequest(by(600))).toThrow("600 requests per minute (0 of 600 left)");
  });

  test("lowered, leaves an empty bucket at most: no debt of an hour", () => {
    const limits = createRateLimits(clock, SEED, words());
    for (let i = 0; i < 300; i++) limits.takeRequest(by(600));
    expect(left(limits, 5)).toBe(0);
    at.ms += 12_000;
    expect(left(limits, 5)).toBe(1);
  });

  test("is applied once by processes that share the bucket, and again for the next change", () => {
    const shared = words();
    const [one, other] = [createRateLimits(clock, SEED, shared), createRateLimits(clock, SEED, shared)];
    for (let i = 0; i < 4; i++) one.takeRequest(by(8));
    expect([left(one, 16), left(other, 16), left(one, 16)]).toEqual([12, 12, 12]);
    expect([left(other, 8), left(one, 8)]).toEqual([4, 4]);
  });
});

test.skipIf(!LINUX)("processes that share their buckets share the seed", () => {
  const region = createRegionFile(`test-seed-${process.pid}`, realOutside);
  const children = [0, 1].map(() =>
    Bun.spawnSync(
      [
        process.execPath,
        "-e",
        `import { bytesOf, mapRegion } from "${join(import.meta.dir, "../../src/sharing/region.ts")}";
         console.log(bytesOf(mapRegion().seed).toHex())`,
      ],
      { stdio: ["ignore", "pipe", "inherit", region.descriptor] },
    )
      .stdout.toString()
      .trim(),
  );
  region.close();
  expect(children[0]).toMatch(/^[0-9a-f]{64}$/);
  expect(children[0]).not.toMatch(/^0+$/);
  expect(children[1]).toBe(children[0] ?? "");
});
