/**
 * Large work in slices: every item once and in order, others in between, and a few items at no cost.
 */
import { describe, expect, test } from "bun:test";
import { inSlices } from "../../src/domain/slices";

/** A clock that only work moves, and a count of the turns that others had. */
function world() {
  let now = 0;
  let turns = 0;
  return {
    work(ms: number) {
      now += ms;
    },
    turns: () => turns,
    slicing: {
      monotonic: () => now,
      async slice() {
        turns += 1;
      },
    },
  };
}

describe("work in slices", () => {
  test.each([0, 1, 31, 32, 33, 100, 2048])(
    "on %d items is done on each of them once, in order",
    async (count) => {
      const { work, slicing } = world();
      const seen: number[] = [];
      await inSlices(
        count,
        (from, to) => {
          for (let i = from; i < to; i++) seen.push(i);
          work(0.1);
        },
        slicing,
      );
      expect(seen).toEqual(Array.from({ length: count }, (_, i) => i));
    },
  );

  test("lets others run whenever a slice was long enough, and not before", async () => {
    const { work, slicing, turns } = world();
    const step = (ms: number) => () => work(ms);
    await inSlices(320, step(0.001), slicing);
    expect(turns()).toBe(0);
    await inSlices(320, step(10), slicing);
    expect(turns()).toBe(9);
    await inSlices(320, step(0.2), slicing);
    expect(turns()).toBe(9 + 4);
  });

  test("is done at once where there are few items, or nobody to wait for", () => {
    const { work, slicing } = world();
    expect(inSlices(32, () => work(50), slicing)).toBeUndefined();
    expect(inSlices(5_000, () => work(50), { monotonic: slicing.monotonic })).toBeUndefined();
    expect(inSlices(5_000, () => undefined, slicing)).toBeUndefined();
  });

  test("ends with the first failure, at once or later", async () => {
    const { work, slicing } = world();
    const failing = (at: number, steps: number[]) =>
      inSlices(
        320,
        (from) => {
          steps.push(from);
          work(1);
          if (from === at) throw new Error(`at ${at}`);
        },
        slicing,
      );
    expect(() => failing(0, [])).toThrow("at 0");
    const steps: number[] = [];
    expect(failing(64, steps)).rejects.toThrow("at 64");
    await new Promise<void>((resolve) => setImmediate(resolve));
    expect(steps).toEqual([0, 32, 64]);
  });
});
