/**
 * Equal inputs of one request: embedded once, answered everywhere. The property test compares with the simplest implementation.
 * The contents of an answer do not matter here: a new kind of answer needs no test.
 */
import { describe, expect, test } from "bun:test";
import fc from "fast-check";
import { putTogether, withoutDuplicates } from "../../src/cache/duplicates";

const keys = fc.array(fc.constantFrom("a", "b", "c", "d", "e"), { maxLength: 40 });

describe("duplicates", () => {
  test("are fetched at the first of them, and answered at each of their places", () => {
    const unique = withoutDuplicates(["a", "b", "a", "c", "b", "a"]);
    expect(unique.places).toEqual([0, 1, 3]);
    const [a, b, c] = [{ of: "a" }, { of: "b" }, { of: "c" }];
    expect(putTogether([a, b, c], unique)).toEqual([a, b, a, c, b, a]);
  });

  test("no inputs give no answers", () => {
    expect(putTogether([], withoutDuplicates([]))).toEqual([]);
  });

  test("each place gets the answer of its own key, and each key is fetched once", () => {
    fc.assert(
      fc.property(keys, (asked) => {
        const unique = withoutDuplicates(asked);
        expect(unique.places.map((place) => asked[place])).toEqual([...new Set(asked)]);
        const answers = unique.places.map((place) => ({ of: asked[place] }));
        expect(putTogether(answers, unique)).toEqual(asked.map((key) => ({ of: key })));
      }),
    );
  });

  test.each<[string, ({ of: string } | undefined)[]]>([
    ["a hole", [{ of: "a" }, undefined]],
    ["one too few", [{ of: "a" }]],
    ["one too many", [{ of: "a" }, { of: "b" }, { of: "c" }]],
  ])("%s among the answers is a fault, not a shorter answer", (_, answers) => {
    expect(() => putTogether(answers, withoutDuplicates(["a", "b", "a"]))).toThrow("lost track");
  });
});
