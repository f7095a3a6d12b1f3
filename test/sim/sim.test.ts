/**
 * A thousand seeds of the simulator keep every promise, and a seed always gives the same run. More seeds: `bun run sim --seeds 100000`.
 * A promise is a check in judge-*.ts; scenario.ts and faults.ts have what can go wrong.
 */
import { afterAll, beforeAll, describe, expect, test } from "bun:test";
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { simulate } from "./run";

let folder = "";
beforeAll(() => {
  folder = mkdtempSync(join(tmpdir(), "embedgate-sim-"));
});
afterAll(() => rmSync(folder, { recursive: true, force: true }));

describe("the simulator", () => {
  const TESTS = 10;
  const SEEDS_EACH = 100;

  test.each(Array.from({ length: TESTS }, (_, i) => i * SEEDS_EACH + 1))(
    "a hundred seeds from %i keep every promise",
    async (from) => {
      const broken: string[] = [];
      for (let seed = from; seed < from + SEEDS_EACH; seed++) {
        const { breach } = await simulate(seed, folder);
        if (breach !== undefined) broken.push(`bun run sim --seed ${seed}: ${breach}`);
      }
      expect(broken).toEqual([]);
    },
    60_000,
  );

  test("a seed gives the same run twice", async () => {
    for (let seed = 1; seed <= 25; seed++) {
      const once = await simulate(seed, folder);
      const again = await simulate(seed, folder);
      expect(again.trace).toEqual(once.trace);
      expect(once.trace.length).toBeGreaterThan(5);
    }
  });
});
