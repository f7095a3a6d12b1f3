/** Under load commits wait for more writes, and never where there is nothing to wait for. */
import { expect, test } from "bun:test";
import { createSpacing } from "../../../src/stores/postgres/spacing";

function world(underWay: number) {
  let now = 0;
  const spacing = createSpacing(() => underWay, { monotonic: () => now });
  return {
    spacing,
    later(ms: number) {
      now += ms;
    },
  };
}

test("the first commit and one after few writes wait for nothing", () => {
  const { spacing } = world(100);
  expect(spacing.waitMs(1)).toBe(0);
  spacing.ended(3);
  expect(spacing.waitMs(3)).toBe(0);
});

test("under load the next commit waits until a millisecond after the last one", () => {
  const { spacing, later } = world(100);
  spacing.ended(10);
  expect(spacing.waitMs(10)).toBe(1);
  later(0.75);
  expect(spacing.waitMs(12)).toBe(0.25);
  later(0.25);
  expect(spacing.waitMs(12)).toBe(0);
});

test("a group that is large enough, or has most of what is under way, waits no longer", () => {
  const { spacing } = world(100);
  spacing.ended(10);
  expect(spacing.waitMs(15)).toBeGreaterThan(0);
  expect(spacing.waitMs(16)).toBe(0);
  const few = world(8).spacing;
  few.ended(4);
  expect(few.waitMs(5)).toBeGreaterThan(0);
  expect(few.waitMs(6)).toBe(0);
});
