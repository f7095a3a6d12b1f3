/**
 * Several gateways on one PostgreSQL keep every promise, whatever is lost, paused, cut or taken for dead. More seeds:
 * `bun run sim --machines --seeds 500`. A promise is a check in machines/judge.ts; machines/draw.ts has what can go wrong.
 */
import { afterAll, beforeAll, expect, test } from "bun:test";
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { endEngine } from "./machines/database";
import { simulateMachines } from "./machines/run";

const REAL_NOW = Date.now;

let folder = "";
beforeAll(() => {
  folder = mkdtempSync(join(tmpdir(), "embedgate-sim-"));
});
afterAll(async () => {
  rmSync(folder, { recursive: true, force: true });
  await endEngine();
});

/** One of 24: a process is fenced after a begin whose result it does not know. */
const SEEDS = [1, 2, 3, 4, 5, 6, 7, 17, 24];
const TIME_MAX = 120_000;

test(
  "several gateways on one database keep every promise",
  async () => {
    const broken: string[] = [];
    for (const seed of SEEDS) {
      const { breach } = await simulateMachines(seed, folder);
      if (breach !== undefined) broken.push(`bun run sim --machines --seed ${seed}: ${breach}`);
    }
    expect(broken).toEqual([]);
  },
  TIME_MAX,
);

test(
  "a seed of them happens the same way twice",
  async () => {
    const [once, again] = [await simulateMachines(3, folder), await simulateMachines(3, folder)];
    expect(again.trace).toEqual(once.trace);
    expect(once.trace.length).toBeGreaterThan(20);
  },
  TIME_MAX,
);

test("the real clock is restored for later code", () => expect(Date.now).toBe(REAL_NOW));
