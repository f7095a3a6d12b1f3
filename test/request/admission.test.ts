/**
 * Which of a model's routes may serve a request: routes that would return other vectors are left out.
 */
import { describe, expect, test } from "bun:test";
import type { KnownFacts } from "../../src/domain/facts";
import type { Upstream } from "../../src/plugin";
import { admit } from "../../src/request/admission";
import { requestFor, routeThrough, targetTo } from "../execute/opened";

const upstream: Upstream = {
  embed: () => Promise.reject(new Error("is not asked here")),
};
const cutter = { accepts: (field: string) => (field === "truncate" ? () => null : undefined) };

/** One route whose vendor truncates texts itself, and one whose vendor does not. */
function routeOf(facts: KnownFacts, first: "cutter" | "other") {
  const byVendor = targetTo(upstream, "m", { facts, provider: { ...cutter, name: "cutter" } });
  const other = targetTo(upstream, "m", { facts, provider: { name: "other" } });
  return routeThrough(first === "cutter" ? [byVendor, other] : [other, byVendor]);
}

const admitted = (facts: KnownFacts, first: "cutter" | "other", truncate: unknown) =>
  admit(requestFor(["a text"], { fields: { truncate } }), routeOf(facts, first), false).targets.map(
    (target) => [target.provider.name, target.facts.long_input, target.facts.max_input_tokens],
  );

describe("truncate, for a model with one route whose vendor truncates and one whose vendor does not", () => {
  const COUNTED = { max_input_tokens: 100, tokenizer: "cl100k_base" } as const;

  test.each(["cutter", "other"] as const)(
    "is done by the gateway for both, where tokens can be counted (%s first)",
    (first) => {
      const both = admitted(COUNTED, first, true);
      expect(both.map(([name]) => name).toSorted()).toEqual(["cutter", "other"]);
      for (const [, policy, limit] of both) expect([policy, limit]).toEqual(["truncate", 100]);
    },
  );

  test("is refused by both if nothing may be truncated", () => {
    for (const [, policy, limit] of admitted(COUNTED, "cutter", "NONE"))
      expect([policy, limit]).toEqual(["reject", 100]);
  });

  test("is done by the first one if nobody can count: the other would cut elsewhere", () => {
    expect(admitted({ max_input_tokens: 100 }, "cutter", true)).toEqual([["cutter", "reject", undefined]]);
    expect(admitted({ max_input_tokens: 100 }, "other", true)).toEqual([["other", "truncate", 100]]);
  });
});
