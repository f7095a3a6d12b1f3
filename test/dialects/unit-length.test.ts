/**
 * A vector of another length is scaled to length 1; a unit vector stays the same bit for bit.
 */
import { expect, test } from "bun:test";
import { atUnitLength } from "../../src/dialects/unit-length";

test("another length becomes 1, unit length stays, and a zero vector stays zero", () => {
  const unit = Float32Array.of(0.6, 0.8);
  const half = Float32Array.of(0.5999, 0.8003);
  const nothing = Float32Array.of(0, 0);
  const [first, ...others] = atUnitLength([Float32Array.of(3, 4), unit, half, nothing]);
  expect([...(first ?? [])]).toEqual([...unit]);
  expect(others[0]).toBe(unit);
  expect(others[1]).toBe(half);
  expect(others[2]).toBe(nothing);
});
