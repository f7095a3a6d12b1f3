/** Work on the database between requests: in steps until there is nothing more, again after a while, and not after the end. */
import { expect, test } from "bun:test";
import { GatewayError } from "../../src/domain/errors";
import { keepGrouped } from "../../src/serving/upkeep";

/** A world whose sleeps end when the test says so. */
function world() {
  const sleeps: { readonly ms: number; readonly end: () => void }[] = [];
  const lines: unknown[] = [];
  return {
    sleeps,
    lines,
    outside: {
      random: () => 0.5,
      log: (...line: unknown[]) => void lines.push(line.slice(0, 2)),
      sleep: (ms: number, signal?: { throwIfAborted(): void }) =>
        new Promise<void>((resolve, reject) => {
          const end = () => {
            try {
              signal?.throwIfAborted();
              resolve();
            } catch (thrown) {
              reject(thrown);
            }
          };
          sleeps.push({ ms, end });
        }),
    },
  };
}

test("sums are grouped step by step with pauses, then looked at again after a minute, and not after the end", async () => {
  const { sleeps, lines, outside } = world();
  const found = [true, true, false, new GatewayError("database_unavailable", "locked"), false];
  let bites = 0;
  const bite = async () => {
    const one = found[bites++] ?? false;
    if (one instanceof GatewayError) throw one;
    return one;
  };
  const idle = { bite: async () => false };
  const end = keepGrouped({ trimming: idle, regrouping: { bite } }, outside);
  const waits: number[] = [];
  const pass = async () => {
    const sleep = sleeps.shift();
    waits.push(sleep?.ms ?? -1);
    sleep?.end();
    for (let turn = 0; turn < 10; turn++) await Promise.resolve();
  };
  for (let i = 0; i < 5; i++) await pass();
  expect(waits).toEqual([5_000, 50, 50, 60_000, 60_000]);
  expect(bites).toBe(5);
  expect(lines).toEqual([["warn", "sums of finished hours and days could not be made now"]]);
  end();
  await pass();
  expect([bites, sleeps.length]).toEqual([5, 0]);
});
