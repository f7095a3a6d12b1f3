/**
 * What the command line reads and prints, without a process: durations and tables. Processes are in executable.test.ts.
 */
import { describe, expect, test } from "bun:test";
import { parseDuration } from "../src/commands/duration";
import { table } from "../src/commands/table";

describe("a duration", () => {
  test.each([
    ["90s", 90_000],
    ["15m", 900_000],
    ["24h", 86_400_000],
    ["7d", 604_800_000],
    ["0s", 0],
  ])("%s is %i ms", (text, ms) => expect(parseDuration(text)).toBe(ms));
  test.each([[""], ["7"], ["d"], ["-1d"], ["1.5h"], ["7 d"], ["7w"], ["9999999999s"]])(
    "%j is refused",
    (text) => {
      expect(() => parseDuration(text)).toThrow("such as 90s");
    },
  );
});

test("a table's columns are as wide as their widest cell, numbers at the right", () => {
  expect(
    table([
      ["NAME", "COUNT"],
      ["日本", 7],
      ["a", 1234n],
    ]),
  ).toBe("NAME  COUNT\n日本      7\na      1234");
});
