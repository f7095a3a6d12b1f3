/**
 * A container's memory limit.
 */
import { expect, test } from "bun:test";
import { totalmem } from "node:os";
import { limitOf, memoryAllowed } from "../../src/machine/memory";

test.each([
  ["536870912\n", 536_870_912],
  ["max\n", Number.POSITIVE_INFINITY],
  ["", Number.POSITIVE_INFINITY],
  ["nonsense", Number.POSITIVE_INFINITY],
])("a limit of %j is %d", (text, bytes) => expect(limitOf(text)).toBe(bytes));

test("it never exceeds the machine's memory", () => {
  expect(memoryAllowed()).toBeGreaterThan(0);
  expect(memoryAllowed()).toBeLessThanOrEqual(totalmem());
});
