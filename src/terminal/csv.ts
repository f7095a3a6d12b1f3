/** Records as CSV, by RFC 4180 but for line ends, which are the terminal's. */

import { visible } from "../domain/control-characters";

/** @param columns in their order; each record has them all */
export function csv(
  columns: readonly string[],
  records: readonly Readonly<Record<string, string | number>>[],
): string {
  const rows = records.map((record) => columns.map((column) => cell(record[column] ?? "")).join(","));
  return [columns.map(cell).join(","), ...rows].join("\n");
}

/** What starts a formula, in either width. */
const SIGN = /[=+\-@＝＋－＠﹦﹢﹣﹫]/;
/** What ends a cell: half the world's are separated by semicolons, and some go by lines whatever the quotes say. */
const SEPARATOR = /[;,|\t\r\n\u0085\u2028\u2029]/;
/** Characters that a spreadsheet skips before a formula, or does not show. */
const BLANK = /[\s\p{C}"]/u;

/** A number is no formula, whatever its sign. */
function cell(value: string | number): string {
  const text = visible(typeof value === "string" ? withoutFormulas(value) : String(value));
  return SEPARATOR.test(text) || text.includes('"') ? `"${text.replaceAll('"', '""')}"` : text;
}

/** A sign that would start a formula is kept text by a quote before it. */
function withoutFormulas(text: string): string {
  if (!SIGN.test(text)) return text;
  let kept = "";
  let isStart = true;
  for (const character of text) {
    if (isStart && SIGN.test(character)) kept += "'";
    kept += character;
    isStart = SEPARATOR.test(character) || (isStart && BLANK.test(character));
  }
  return kept;
}
