/** Records as CSV by RFC 4180, except for line breaks, which are the terminal's. */

import { visible } from "../domain/control-characters";

/** @param columns in order; each record has all of them */
export function csv(
  columns: readonly string[],
  records: readonly Readonly<Record<string, string | number>>[],
): string {
  const rows = records.map((record) => columns.map((column) => cell(record[column] ?? "")).join(","));
  return [columns.map(cell).join(","), ...rows].join("\n");
}

/** Characters that start a formula, in either width. */
const SIGN = /[=+\-@＝＋－＠﹦﹢﹣﹫]/;
/** Characters that end a cell: many locales separate by semicolons, and some programs split lines whatever the quotes say. */
const SEPARATOR = /[;,|\t\r\n\u0085\u2028\u2029]/;
/** Characters that a spreadsheet skips before a formula, or does not show. */
const BLANK = /[\s\p{C}"]/u;

/** A number is not a formula, whatever its sign. */
function cell(value: string | number): string {
  const text = visible(typeof value === "string" ? withoutFormulas(value) : String(value));
  return SEPARATOR.test(text) || text.includes('"') ? `"${text.replaceAll('"', '""')}"` : text;
}

/** A leading quote makes a cell text that would otherwise start a formula. */
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
