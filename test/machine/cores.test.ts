/**
 * A container's CPU limit, as the system writes it.
 */
import { expect, test } from "bun:test";
import { quotaOf } from "../../src/machine/cores";

test.each([
  ["max 100000\n", Number.POSITIVE_INFINITY],
  ["200000 100000\n", 2],
  ["150000 100000\n", 2],
  ["50000 100000\n", 1],
  ["", Number.POSITIVE_INFINITY],
  ["nonsense", Number.POSITIVE_INFINITY],
])("%j allows %d cores", (limit, cores) => {
  expect(quotaOf(limit)).toBe(cores);
});
