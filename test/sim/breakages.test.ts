/**
 * The simulator detects bugs: each patch breaks one promise on purpose, and a few seeds catch it. sim.test.ts shows that the unbroken code passes.
 * A new promise of src/ gets a patch in breakages/ that breaks it; `bun run sim --breakages` says which seed caught what.
 */
import { expect, test } from "bun:test";
import { BREAKAGES, catchAll } from "./breakages";

const SEEDS = 150;

test("each breakage applies, and is caught", async () => {
  const all = await catchAll(SEEDS, () => undefined);
  expect(all.filter(({ seed }) => seed === undefined)).toEqual([]);
  expect(all.length).toBe(BREAKAGES.length);
  expect(all.length).toBeGreaterThanOrEqual(10);
}, 400_000);
