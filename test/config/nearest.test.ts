/**
 * The nearest known name: what counts as a slip, and what as another word.
 * A slip that people make and that is missed goes into the first table.
 */
import { describe, expect, test } from "bun:test";
import fc from "fast-check";
import { editDistance, nearestName } from "../../src/config/nearest";

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

  test("of another word is none", () => {
    expect(nearestName("colour", ["price", "routes"])).toBeUndefined();
    expect(nearestName("", ["a"])).toBe("a");
    expect(nearestName("x".repeat(5000), ["x".repeat(4999)])).toBeUndefined();
    expect(nearestName("a", [])).toBeUndefined();
  });
});

describe("the edit distance", () => {
  test("counts letters put in, left out, replaced and swapped as one each", () => {
    expect(editDistance("model", "modle")).toBe(1);
    expect(editDistance("model", "modell")).toBe(1);
    expect(editDistance("model", "mode")).toBe(1);
    expect(editDistance("model", "motel")).toBe(1);
    expect(editDistance("", "abc")).toBe(3);
  });

  test("is zero for the same word only, the same both ways, and at most the longer word", () => {
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
