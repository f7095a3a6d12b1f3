/**
 * Records as CSV for every reader: a spreadsheet in any locale, or a program that reads line by line.
 * A further way to smuggle in a formula is a row of HARMFUL.
 */
import { describe, expect, test } from "bun:test";
import { csv } from "../../src/terminal/csv";

/** Characters that start a formula in a spreadsheet, in either width. */
const SIGNS = ["=", "+", "-", "@", "＝", "＋", "－", "＠"];

const HARMFUL = SIGNS.flatMap((sign) => [
  { what: "at the start", text: `${sign}1+1` },
  { what: "after spaces", text: `  ${sign}1+1` },
  { what: "after a no-break space", text: `\u00a0${sign}1+1` },
  { what: "after a tab", text: `\t${sign}1+1` },
  { what: "after a semicolon, which separates cells in half the world", text: `acme;${sign}1+1` },
  { what: "after a comma", text: `acme,${sign}1+1` },
  { what: "after a tab in the middle", text: `acme\t${sign}1+1` },
  { what: "after a bar", text: `acme|${sign}1+1` },
  { what: "after a quote that ends a cell", text: `acme";"${sign}1+1` },
  { what: "after a line feed", text: `acme\n${sign}1+1` },
  { what: "after a carriage return", text: `acme\r${sign}1+1` },
  { what: "after a line break of Unicode", text: `acme\u2028${sign}1+1` },
  { what: "after a next line", text: `acme\u0085${sign}1+1` },
]).map(({ what, text }) => ({ what, text, name: JSON.stringify(text) }));

/** Cells as seen by a reader that takes any of these for a separator, and ignores quotes. */
const cellsOf = (text: string) => text.split(/[;,\t|\r\n\u0085\u2028\u2029]/);
const isFormula = (cell: string) => /^["\s]*[=+\-@＝＋－＠]/.test(cell);

describe("a cell never starts a formula", () => {
  test.each(HARMFUL)("$what: $name", ({ text }) => {
    const written = csv(["user", "tokens"], [{ user: text, tokens: 7 }]);
    expect(cellsOf(written).filter(isFormula)).toEqual([]);
    // And the heading's cells, which may be metadata keys.
    const heading = csv([text], [{ [text]: 1 }]);
    expect(cellsOf(heading).filter(isFormula)).toEqual([]);
  });
});

test("a cell stays one cell for a reader that separates by semicolons or tabs", () => {
  expect(csv(["a"], [{ a: "x;y" }])).toBe('a\n"x;y"');
  // Quoted, or shown as an escape.
  expect(csv(["a"], [{ a: "x\ty" }])).toMatch(/^a\n("x\ty"|x\\ty)$/);
});

test("harmless values are written unchanged: names, dates, negative numbers", () => {
  const record = { model: "text-embedding-3-small", day: "2026-11-28", mail: "a@b.example", credits: -3 };
  expect(csv(["model", "day", "mail", "credits"], [record])).toBe(
    "model,day,mail,credits\ntext-embedding-3-small,2026-11-28,a@b.example,-3",
  );
});
