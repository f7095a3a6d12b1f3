/** CSV files that people drop into the playground. */
import { expect, test } from "bun:test";
import { csvRows, textsOf } from "../../../src/dashboard/page/csv-rows";

test.each([
  [
    "plain",
    "a,b\n1,2\n",
    [
      ["a", "b"],
      ["1", "2"],
    ],
  ],
  [
    "no line break at the end, and CRLF",
    "a,b\r\n1,2",
    [
      ["a", "b"],
      ["1", "2"],
    ],
  ],
  ["commas, quotes and line breaks within", '1,"a, ""b""\nc"\n', [["1", 'a, "b"\nc']]],
  ["empty lines and cells", "a,,c\n\n,\n", [["a", "", "c"]]],
  ["a quote within a word", 'it"s,b\n', [['it"s', "b"]]],
  ["nothing", "", []],
])("%s", (_, text, rows) => {
  expect(csvRows(text)).toEqual(rows);
});

test.each([
  [
    "its heading left out",
    [
      ["id", "text"],
      ["1", "a long\ntext"],
      ["2", "another one"],
    ],
    ["a long text", "another one"],
  ],
  [
    "without a heading",
    [
      ["1", "a long text"],
      ["2", "another one"],
    ],
    ["a long text", "another one"],
  ],
  ["of single words, of which none may be a heading", [["one"], ["two"]], ["one", "two"]],
])("the column with the longest texts, %s", (_, rows, texts) => {
  expect(textsOf(rows)).toEqual(texts);
});
