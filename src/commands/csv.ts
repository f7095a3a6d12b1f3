/** Records as CSV, by RFC 4180 but for line ends, which are the terminal's. */

/** @param columns in their order; each record has them all */
export function csv(
  columns: readonly string[],
  records: readonly Readonly<Record<string, string | number>>[],
): string {
  const rows = records.map((record) => columns.map((column) => cell(record[column] ?? "")).join(","));
  return [columns.map(cell).join(","), ...rows].join("\n");
}

/** A cell that a spreadsheet would run as a formula is kept text by a leading quote. */
function cell(value: string | number): string {
  const text = typeof value === "string" && /^[=+\-@\t\r]/.test(value) ? `'${value}` : String(value);
  return /[",\r\n]/.test(text) ? `"${text.replaceAll('"', '""')}"` : text;
}
