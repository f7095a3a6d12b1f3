/** The map of the playground: similar texts are near each other, and the same vectors give the same map. */
import { describe, expect, test } from "bun:test";
import { cosine, mapOf } from "../../../src/dashboard/page/pca";

const distance = (one: { x: number; y: number } | undefined, other: { x: number; y: number } | undefined) =>
  Math.hypot((one?.x ?? 0) - (other?.x ?? 0), (one?.y ?? 0) - (other?.y ?? 0));

describe("a map", () => {
  test("of vectors in a plane keeps every distance", () => {
    const vectors = [
      [1, 0, 2, 0],
      [0, 3, 0, 0],
      [-2, 1, -4, 0],
      [4, 2, 8, 0],
    ];
    const points = mapOf(vectors);
    for (const [i, one] of vectors.entries())
      for (const [j, other] of vectors.entries())
        expect(distance(points[i], points[j])).toBeCloseTo(
          Math.hypot(...one.map((value, k) => value - (other[k] ?? 0))),
          6,
        );
  });

  test("has similar pairs near each other", () => {
    const points = mapOf([
      [1, 0.1, 0],
      [1, 0, 0.1],
      [0, 1, 0.1],
      [0.1, 1, 0],
    ]);
    expect(distance(points[0], points[1]) * 4).toBeLessThan(distance(points[0], points[2]));
  });

  test.each([
    ["no vector", []],
    ["one", [[1, 2, 3]]],
    [
      "equal ones",
      [
        [1, 2],
        [1, 2],
        [1, 2],
      ],
    ],
  ])("of %s is made of numbers", (_, vectors) => {
    const points = mapOf(vectors);
    expect(points).toHaveLength(vectors.length);
    for (const { x, y } of points)
      expect([Math.abs(x), Math.abs(y)]).toEqual([expect.closeTo(0), expect.closeTo(0)]);
  });
});

test("cosines depend on the angle only, and are 0 if there is none", () => {
  expect(cosine([3, 0], [5, 0])).toBeCloseTo(1);
  expect(cosine([1, 1], [1, -1])).toBeCloseTo(0);
  expect(cosine([0, 0], [1, 2])).toBe(0);
});
