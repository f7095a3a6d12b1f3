/**
 * What the command line parses and prints, without a process: durations, amounts, lists, tables, CSV. executable.test.ts has processes.
 */

import { describe, expect, test } from "bun:test";
import fc from "fast-check";
import { creditsOf } from "../../src/books/money";
import { json } from "../../src/commands/json";
import { logLine } from "../../src/network/log";
import { parseBalance, parseCredits, parseList, parsePair, parseUsd } from "../../src/terminal/amount";
import { csv } from "../../src/terminal/csv";
import { inUnits, parseDuration } from "../../src/terminal/duration";
import { screenOf } from "../../src/terminal/screen";
import { table } from "../../src/terminal/table";

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
      ["b", { right: "0.5" }],
    ]),
  ).toBe("NAME  COUNT\n日本      7\na      1234\nb       0.5");
});

test.each([
  ["7d", "7 days"],
  ["24h", "1 day"],
  ["90m", "90 minutes"],
  ["1s", "1 second"],
  ["0s", "0 seconds"],
])("a duration of %s reads %s", (text, words) => expect(inUnits(parseDuration(text))).toBe(words));

describe("a table on a terminal", () => {
  const rows = [
    ["NAME", "WHAT", { right: "COST" }],
    ["a", "a text that is longer than there is room for", { right: "123456789" }],
  ] as const;

  test("is at most as wide as the terminal: text is cut, numbers never", () => {
    const screen = screenOf({ isTTY: true, columns: 40 }, { NO_COLOR: "1" });
    const lines = table(rows, screen).split("\n");
    expect(lines).toEqual([
      "NAME  WHAT                          COST",
      "a     a text that is longer …  123456789",
    ]);
  });

  test("has colours only there, and none if they are not wanted", () => {
    expect(table(rows, screenOf({ isTTY: true, columns: 200 }, {}))).toStartWith("\u001b[1mNAME");
    for (const [stream, environment] of [
      [{ isTTY: false, columns: 40 }, {}],
      [{ isTTY: true, columns: 200 }, { NO_COLOR: "1" }],
      [{ isTTY: true, columns: 200 }, { TERM: "dumb" }],
    ] as const)
      expect(table(rows, screenOf(stream, environment))).toBe(table(rows));
  });
});

test("a table shows characters that would move the cursor, end the line or reverse the text as escapes, in one line", () => {
  expect(table([["a\u001b[2Jb\r\nc"], ["d\u202ee\u200f"], ["f\u009b\u2028g\t"]]).split("\n")).toEqual([
    "a\\u001b[2Jb\\r\\nc",
    "d\\u202ee\\u200f",
    "f\\u009b\\u2028g\\t",
  ]);
  expect(table([["日本 👩\u200d💻 é"]])).toBe("日本 👩\u200d💻 é");
});

test("CSV and JSON escape them too, and the JSON value is unchanged", () => {
  const said = "a\u001b[2Jb\r\nc\u202e\u009bd";
  expect(csv(["said"], [{ said }])).toBe("said\na\\u001b[2Jb\\r\\nc\\u202e\\u009bd");
  expect(json({ said })).toMatch(/^[\x20-\x7e]+$/);
  expect(JSON.parse(json({ said }))).toEqual({ said });
});

test("a log line is one line that shows everything, including amounts", () => {
  const said = "a\u001b[2J\u007f\u009b\r\n\u2028\u202e";
  const line = logLine({ said, amount: 12n });
  expect(line).toMatch(/^[\x20-\x7e]+$/);
  expect(JSON.parse(line)).toEqual({ said, amount: "12" });
});

describe("an amount", () => {
  test.each([
    ["50", 50_000_000n],
    ["0.000001", 1n],
    ["12.500000", 12_500_000n],
    ["-0.25", -250_000n],
    ["+3", 3_000_000n],
    ["999999999999999.999999", 999_999_999_999_999_999_999n],
    // As a double this would be 1.1000000000000001.
    ["1.100000", 1_100_000n],
    ["0.0000010", 1n],
  ])("of %s credits is %i micro-credits", (text, microCredits) => {
    expect(parseCredits(text)).toBe(microCredits);
  });
  test.each([
    [""],
    ["x"],
    ["1e3"],
    ["0x10"],
    ["1,5"],
    ["1.0000001"],
    [".5"],
    ["5."],
    ["- 5"],
    ["Infinity"],
    ["١"],
  ])("%j is refused, not rounded", (text) => {
    expect(() => parseCredits(text)).toThrow("six decimals");
  });
  test("is the same after writing and reading", () => {
    fc.assert(
      fc.property(fc.bigInt({ min: -(10n ** 18n), max: 10n ** 18n }), (microCredits) => {
        expect(parseCredits(creditsOf(microCredits))).toBe(microCredits);
      }),
    );
  });

  test("a balance may be unlimited, and is never negative", () => {
    expect([parseBalance("unlimited"), parseBalance("0")]).toEqual(["unlimited", 0n]);
    expect(() => parseBalance("-0.1")).toThrow("0 credits or more");
  });

  test("of USD is accepted only if it can be stored exactly as written", () => {
    expect([parseUsd("0.1"), parseUsd("25"), parseUsd("0.30"), parseUsd("999999999.99")]).toEqual([
      0.1, 25, 0.3, 999_999_999.99,
    ]);
    for (const text of ["-1", "1e2", "", "123456789.12345678912", "$5"])
      expect(() => parseUsd(text)).toThrow("Expected USD");
  });
});

test("lists and pairs are split, and empty words are refused", () => {
  expect(parseList("a, b*,a")).toEqual(["a", "b*"]);
  expect(() => parseList("a,,b")).toThrow("commas");
  expect([...parsePair("team=a=b", new Map([["run", "7"]]))]).toEqual([
    ["run", "7"],
    ["team", "a=b"],
  ]);
  expect(() => parsePair("=x")).toThrow("KEY=VALUE");
});

test("CSV keeps commas and quotes within a cell, and prevents formulas from running", () => {
  const record = { name: 'a "b", c', note: "=1+1", count: 7 };
  expect(csv(["name", "count", "note"], [record])).toBe('name,count,note\n"a ""b"", c",7,\'=1+1');
});
