/** Records as CSV, by RFC 4180 but for line ends, which are the terminal's. */

/** @param columns in their order; each record has them all */
export function csv(
  columns: readonly string[],
  records: readonly Readonly<Record<string, string | number>>[],
): string {
  const rows = records.map((record) => columns.map((column) => cell(record[column] ?? "")).join(","));
  return [columns.map(cell).join(","), ...rows].join("\n");
}

/**
 * Where a spreadsheet would start a formula: a sign of either width at the start of a cell, or of what it takes for one, since half the
 * world's separate cells by semicolons and go by lines whatever the quotes say. What it does not show may stand before the sign.
 */
const FORMULA = /(?<=(?:^|[;,|\t\r\n\u0085\u2028\u2029])[\s\p{C}"]*)[=+\-@＝＋－＠﹦﹢﹣﹫]/gu;

/** A formula is kept text by a quote before its sign. A number is none, whatever its sign. */
function cell(value: string | number): string {
  const text = typeof value === "string" ? value.replace(FORMULA, "'$&") : String(value);
  return /[",;|\t\r\n\u0085\u2028\u2029]/.test(text) ? `"${text.replaceAll('"', '""')}"` : text;
}
