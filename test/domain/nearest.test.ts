/**
 * The nearest known name: what counts as a typo, and what as a different word.
 * A typo that people make and that is missed goes into the first table.
 */
import { describe, expect, test } from "bun:test";
import fc from "fast-check";
import { editDistance, nearestName } from "../../src/domain/nearest";

describe("the nearest name", () => {
  const slips: readonly [string, readonly string[], string][] = [
    ["opnai", ["local", "openai", "fake"], "openai"],
    ["OpenAI", ["local", "openai"], "openai"],
    ["wieght", ["weight", "model"], "weight"],
    ["base-url", ["base_url", "api_key"], "base_url"],
    ["max_input_token", ["max_inputs", "max_input_tokens"], "max_input_tokens"],
  ];
  for (const [written, known, meant] of slips) {
    test(`of ${written} is ${meant}`, () => expect(nearestName(written, known)).toBe(meant));
  }

  test("of a different word is none", () => {
    expect(nearestName("colour", ["price", "routes"])).toBeUndefined();
    expect(nearestName("", ["a"])).toBe("a");
    expect(nearestName("x".repeat(5000), ["x".repeat(4999)])).toBeUndefined();
    expect(nearestName("a", [])).toBeUndefined();
  });
});

describe("the edit distance", () => {
  test("counts inserted, deleted, replaced and swapped letters as one each", () => {
    expect(editDistance("model", "modle")).toBe(1);
    expect(editDistance("model", "modell")).toBe(1);
    expect(editDistance("model", "mode")).toBe(1);
    expect(editDistance("model", "motel")).toBe(1);
    expect(editDistance("", "abc")).toBe(3);
  });

  test("is zero for the same word only, symmetric, and at most the longer word's length", () => {
    fc.assert(
      fc.property(fc.string({ maxLength: 20 }), fc.string({ maxLength: 20 }), (a, b) => {
        const distance = editDistance(a, b);
        expect(distance).toBe(editDistance(b, a));
        expect(distance === 0).toBe(a === b);
        expect(distance).toBeLessThanOrEqual(Math.max(a.length, b.length));
      }),
    );
  });
});

describe("the search is limited", () => {
  /** So many similar letters that every name must be compared to its end. */
  const names = (count: number, length: number) =>
    Array.from({ length: count }, (_, i) => `${"model-".repeat(20).slice(0, length - 6)}${100_000 + i}`);

  test("by the number of compared letters, however many and long the names are", () => {
    let looked = 0;
    const all = names(100_000, 90);
    function* counted() {
      for (const name of all) {
        looked += 1;
        yield name;
      }
    }
    nearestName(`${"model-".repeat(20).slice(0, 60)}${"z".repeat(30)}`, counted());
    expect(looked).toBeGreaterThan(10);
    expect(looked).toBeLessThan(10_000);
  });

  test("and is enough for a thousand models of usual names", () => {
    const all = names(1_000, 22);
    for (const place of [0, 500, 999]) {
      const meant = all[place] ?? "";
      expect(nearestName(`${meant.slice(0, 4)}${meant.slice(5)}`, all)).toBe(meant);
    }
  });

  test("without a different result from the full comparison", () => {
    const word = fc.stringMatching(/^[abc]{0,9}$/);
    fc.assert(
      fc.property(word, fc.array(word, { maxLength: 8 }), (name, candidates) => {
        const bound = Math.max(1, Math.floor(name.length / 3));
        const distances = candidates.map((candidate) => editDistance(name, candidate));
        const least = Math.min(...distances);
        const expected = least <= bound ? candidates[distances.indexOf(least)] : undefined;
        expect(nearestName(name, candidates)).toBe(expected);
      }),
    );
  });
});
