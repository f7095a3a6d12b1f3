/** Rows for people: columns padded to their widest cell. Programs ask for --json or --csv instead. */

import { visible } from "../domain/control-characters";

/** A number, or text that says so, stands at the right of its column. */
export type Cell = string | number | bigint | { readonly right: string };

/** @param rows the first one is the heading */
export function table(rows: readonly (readonly Cell[])[]): string {
  const widths: number[] = [];
  for (const row of rows) {
    for (const [i, cell] of row.entries())
      widths[i] = Math.max(widths[i] ?? 0, Bun.stringWidth(textOf(cell)));
  }
  const line = (row: readonly Cell[]) =>
    row
      .map((cell, i) => {
        const text = textOf(cell);
        const space = " ".repeat((widths[i] ?? 0) - Bun.stringWidth(text));
        return typeof cell === "string" ? text + space : space + text;
      })
      .join("  ")
      .trimEnd();
  return rows.map(line).join("\n");
}

const textOf = (cell: Cell) => visible(typeof cell === "object" ? cell.right : String(cell));
