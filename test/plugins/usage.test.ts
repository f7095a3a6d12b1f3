/** What plugins read from a reply's token count, whatever it contains. */
import { expect, test } from "bun:test";
import { countAt } from "../../plugins/usage";

test.each<[string, unknown, number | undefined]>([
  ["a count", { usage: { tokens: 7 } }, 7],
  ["past 2^53", { usage: { tokens: 2 ** 60 } }, 2 ** 60],
  ["a text", { usage: { tokens: "7" } }, Number.NaN],
  ["a list", { usage: { tokens: [7] } }, Number.NaN],
  ["null", { usage: { tokens: null } }, undefined],
  ["nothing", { usage: {} }, undefined],
  ["no object on the way", { usage: 5 }, undefined],
  ["null on the way", { usage: null }, undefined],
  ["no reply", undefined, undefined],
])("%s", (_, reply, count) => {
  expect(countAt(reply, "usage", "tokens")).toBe(count);
});
