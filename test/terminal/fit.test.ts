/** Pages on narrow terminals. */
import { expect, test } from "bun:test";
import { cutAt, fitted, folded } from "../../src/terminal/fit";
import { table } from "../../src/terminal/table";

const ROWS = [
  ["MODEL", "PROVIDER", "P50", "P99", "NOTE"],
  ["text-embedding-3-small", "openai", { right: "12.5" }, { right: "1250.0" }, "as it was"],
];
const headsAt = (columns: number | undefined) => fitted(ROWS, ["NOTE", "P50", "PROVIDER"], columns)[0];

test("a table goes without the columns that matter least, and without no others", () => {
  expect(headsAt(undefined)).toEqual(["MODEL", "PROVIDER", "P50", "P99", "NOTE"]);
  expect(headsAt(80)).toEqual(["MODEL", "PROVIDER", "P50", "P99", "NOTE"]);
  expect(headsAt(40)).toEqual(["MODEL", "PROVIDER", "P50", "P99"]);
  expect(headsAt(32)).toEqual(["MODEL", "PROVIDER", "P99"]);
  expect(headsAt(3)).toEqual(["MODEL", "P99"]);
});

test("what is kept fits", () => {
  for (const columns of [22, 24, 30, 40, 60, 80]) {
    const surface = { columns, paint: { bold: (text: string) => text } };
    const lines = table(fitted(ROWS, ["NOTE", "P50", "PROVIDER"], columns), surface).split("\n");
    expect(Math.max(...lines.map((line) => Bun.stringWidth(line)))).toBeLessThanOrEqual(columns);
  }
});

test("parts stand beside each other while there is room", () => {
  expect(folded(["one", "two", "three"], ", ", undefined)).toBe("one, two, three");
  expect(folded(["one", "two", "three"], ", ", 9)).toBe("one, two\nthree");
  expect(folded([], ", ", 9)).toBe("");
});

test("a long line is cut, its colour ends with it", () => {
  expect(cutAt("short\nmuch too long", 8)).toBe("short\nmuch to…");
  expect(cutAt("\u001b[31mmuch too long\u001b[39m", 8)).toBe("\u001b[31mmuch to\u001b[39m…");
});
