/**
 * A target that normalises some vectors and not others: one text would have two vectors. The rows are lengths that real servers returned.
 */
import { describe, expect, test } from "bun:test";
import { GatewayError } from "../../src/domain/errors";
import type { Health } from "../../src/domain/health";
import { refuseMixedLengths } from "../../src/execute/lengths";

const answering = (lengthsSeen: Health["lengthsSeen"] = new Map()) => ({
  answer(lengths: readonly number[], size = 8): string {
    try {
      const vectors = [new Float32Array(size)];
      refuseMixedLengths({ lengths: Float64Array.from(lengths), vectors }, { lengthsSeen });
      return "taken";
    } catch (thrown) {
      return thrown instanceof GatewayError ? thrown.kind : "thrown";
    }
  },
});

describe("of both kinds", () => {
  test.each([
    ["in one answer", [[1, 5.49, 1, 5.49]]],
    ["in turns", [[1], [5.49], [1]]],
    ["the other way round", [[5.49], [1], [5.49]]],
    ["after many of unit length", [Array<number>(5_000).fill(1), [5.49]]],
    ["vectors cut short", [[1, 1], [0.36]]],
  ])("%s: refused, and so is what comes after it", (_, answers) => {
    const target = answering();
    expect(answers.map((lengths) => target.answer(lengths))).toContain("malformed");
    expect(target.answer([1])).toBe("malformed");
  });
});

describe("of one kind", () => {
  test.each([
    ["unit length, at 8 bits", [[1, 0.998, 1.002], [1.0011]]],
    ["lengths of their own", [[2.4, 7.4, 5.49], [3]]],
    ["a few thousandths beside 1", [[0.97, 1, 1.03, 1.0001]]],
    ["lengths of their own, one of them 1 by chance", [[2.4, 7.4, 5.49, 3, 4, 2, 6, 5, 3.3], [1], [5]]],
  ])("%s: taken", (_, answers) => {
    const target = answering();
    expect(answers.map((lengths) => target.answer(lengths))).toEqual(answers.map(() => "taken"));
  });

  test("per dimensions: infinity-emb 0.0.78 does not normalise vectors that it shortens", () => {
    const target = answering();
    expect([target.answer([1, 1], 384), target.answer([0.36, 0.41], 64), target.answer([1], 384)]).toEqual([
      "taken",
      "taken",
      "taken",
    ]);
  });
});
