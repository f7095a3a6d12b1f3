/** The cosine of two vectors: correct for any lengths, and undefined if a vector has no direction. */
import { expect, test } from "bun:test";
import { cosineOf } from "../../src/domain/cosine";

test("lengths do not count, directions do", () => {
  expect(cosineOf([1, 2, 3], [10, 20, 30])).toBeCloseTo(1, 12);
  expect(cosineOf([1, 0], [0, 5])).toBe(0);
  expect(cosineOf(Float32Array.of(3, 4), Float32Array.of(-3, -4))).toBeCloseTo(-1, 12);
});

test("there is none for other dimensions, zeros or numbers that are not finite", () => {
  expect(cosineOf([1, 2], [1, 2, 3])).toBeUndefined();
  expect(cosineOf([0, 0], [1, 2])).toBeUndefined();
  expect(cosineOf([Number.NaN, 1], [1, 2])).toBeUndefined();
  expect(cosineOf([Number.POSITIVE_INFINITY, 1], [1, 2])).toBeUndefined();
});

test("the squares of the largest float32 values do not overflow", () => {
  const large = Float32Array.of(3.4e38, 3.4e38);
  expect(cosineOf(large, large)).toBeCloseTo(1, 12);
});
