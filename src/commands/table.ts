/** Rows for people: columns padded to their widest cell. Programs ask for --json or --csv instead. */

/** @param rows the first one is the heading; a bigint or number stands at the right of its column. */
export function table(rows: readonly (readonly (string | number | bigint)[])[]): string {
  const widths: number[] = [];
  for (const row of rows) {
    for (const [i, cell] of row.entries())
      widths[i] = Math.max(widths[i] ?? 0, Bun.stringWidth(String(cell)));
  }
  const line = (row: readonly (string | number | bigint)[]) =>
    row
      .map((cell, i) => {
        const text = String(cell);
        const space = " ".repeat((widths[i] ?? 0) - Bun.stringWidth(text));
        return typeof cell === "string" ? text + space : space + text;
      })
      .join("  ")
      .trimEnd();
  return rows.map(line).join("\n");
}
