/**
 * Divides a provider's count among inputs: nothing lost, nothing made up, no share off by a whole token.
 * The exact shares for comparison are computed here with whole numbers.
 */
import { describe, expect, test } from "bun:test";
import fc from "fast-check";
import { apportion } from "../../src/cache/apportion";
import { GatewayError } from "../../src/domain/errors";

const total = fc.oneof(fc.nat(50), fc.nat(1_000_000), fc.maxSafeNat());
const weights = fc.array(fc.oneof(fc.nat(3), fc.nat(8192), fc.nat(2 ** 31)), { minLength: 1, maxLength: 64 });

describe("apportion", () => {
  test.each<[string, number, number[], number[]]>([
    ["what divides evenly is divided evenly", 6, [1, 2, 3], [1, 2, 3]],
    ["the largest remainder gets what is left over", 6, [1, 1, 3], [1, 1, 4]],
    ["of equal remainders the earlier place gets it", 5, [1, 1, 1], [2, 2, 1]],
    ["a weight of 0 gets nothing while others have some", 7, [0, 3, 0, 1], [0, 5, 0, 2]],
    ["without any weight it is as even as can be", 8, [0, 0, 0], [3, 3, 2]],
    ["a total of 0 is 0 for everybody", 0, [5, 0, 1], [0, 0, 0]],
    ["one input gets it all", 9, [0], [9]],
    ["nothing among nobody is nothing", 0, [], []],
    ["fewer tokens than inputs", 2, [1, 1, 1, 1], [1, 1, 0, 0]],
    [
      "numbers whose product is past 2⁵³",
      9_007_199_254_740_991,
      [1, 2],
      [3_002_399_751_580_330, 6_004_799_503_160_661],
    ],
  ])("%s", (_, sum, by, expected) => {
    expect(apportion(sum, by)).toEqual(expected);
  });

  test("the shares are whole, not negative, and add up to exactly the total", () => {
    fc.assert(
      fc.property(total, weights, (sum, by) => {
        const shares = apportion(sum, by);
        expect(shares.length).toBe(by.length);
        expect(shares.every((share) => Number.isSafeInteger(share) && share >= 0)).toBe(true);
        expect(shares.reduce((before, share) => before + BigInt(share), 0n)).toBe(BigInt(sum));
      }),
    );
  });

  test("no share is a whole token away from the exact one", () => {
    fc.assert(
      fc.property(total, weights, (sum, by) => {
        const all = by.reduce((before, weight) => before + BigInt(weight), 0n);
        fc.pre(all > 0n);
        for (const [i, share] of apportion(sum, by).entries()) {
          const difference = BigInt(share) * all - BigInt(sum) * BigInt(by[i] ?? 0);
          expect(difference < all && -difference < all).toBe(true);
        }
      }),
    );
  });

  test("a heavier input never gets less than a lighter one, nor an earlier one less than a later one of equal weight", () => {
    fc.assert(
      fc.property(total, weights, (sum, by) => {
        const shares = apportion(sum, by);
        for (let a = 0; a < by.length; a++) {
          for (let b = a + 1; b < by.length; b++) {
            const [weightA = 0, weightB = 0, shareA = 0, shareB = 0] = [by[a], by[b], shares[a], shares[b]];
            if (weightA >= weightB) expect(shareA).toBeGreaterThanOrEqual(shareB);
            else expect(shareB).toBeGreaterThanOrEqual(shareA);
          }
        }
      }),
      { numRuns: 50 },
    );
  });

  test.each<[string, number, number[]]>([
    ["a total that is not whole", 1.5, [1]],
    ["a total below 0", -1, [1]],
    ["a total that is no number", Number.NaN, [1]],
    ["a weight that is not whole", 1, [0.5]],
    ["a weight below 0", 1, [1, -1]],
    ["an endless weight", 1, [Number.POSITIVE_INFINITY]],
    ["tokens of no input", 1, []],
  ])("%s is a fault, not a guess", (_, sum, by) => {
    expect(() => apportion(sum, by)).toThrow(GatewayError);
  });
});
