/**
 * Equal inputs of one request: embedded once, answered everywhere. The property compares with the plainest way of saying it.
 * What an answer holds is none of this file's business: a new kind of answer needs no test here.
 */
import { describe, expect, test } from "bun:test";
import fc from "fast-check";
import { putTogether, withoutDuplicates } from "../../src/cache/duplicates";

const keys = fc.array(fc.constantFrom("a", "b", "c", "d", "e"), { maxLength: 40 });

describe("duplicates", () => {
  test("are asked for at the place of the first of them, and answered at each of their places", () => {
    const unique = withoutDuplicates(["a", "b", "a", "c", "b", "a"]);
    expect(unique.places).toEqual([0, 1, 3]);
    const [a, b, c] = [{ of: "a" }, { of: "b" }, { of: "c" }];
    expect(putTogether([a, b, c], unique)).toEqual([a, b, a, c, b, a]);
  });

  test("nothing asked is nothing answered", () => {
    expect(putTogether([], withoutDuplicates([]))).toEqual([]);
  });

  test("each place gets the answer of its own key, and each key is asked once", () => {
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
