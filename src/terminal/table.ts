/** Tables for people: columns are padded to their widest cell, and cut on a narrow terminal. Programs use --json or --csv instead. */

import { visible } from "../domain/control-characters";

/** Numbers, and texts with `right`, are aligned to the right. */
export type Cell = string | number | bigint | { readonly right: string };

/** The part of a screen that a table needs. A pipe has no width, so nothing is cut. */
interface Surface {
  readonly columns: number | undefined;
  readonly paint: { readonly bold: (text: string) => string };
}

const GAP = "  ";
/** Columns of text are not cut below this width, even if the table is then too wide. */
export const WIDTH_MIN = 8;

/** @param rows the first one is the heading */
export function table(rows: readonly (readonly Cell[])[], surface?: Surface): string {
  const texts = rows.map((row) => row.map(textOf));
  const widths: number[] = [];
  for (const row of texts)
    for (const [i, text] of row.entries()) widths[i] = Math.max(widths[i] ?? 0, Bun.stringWidth(text));
  const isText = (i: number) => rows.every((row) => row[i] === undefined || typeof row[i] === "string");
  if (surface?.columns !== undefined) narrow(widths, isText, surface.columns);
  const line = (row: readonly string[], y: number) =>
    row
      .map((text, i) => {
        const width = widths[i] ?? 0;
        const fitting = cut(text, width);
        const space = " ".repeat(Math.max(0, width - Bun.stringWidth(fitting)));
        return typeof rows[y]?.[i] === "string" ? fitting + space : space + fitting;
      })
      .join(GAP)
      .trimEnd();
  const [head, ...others] = texts.map(line);
  if (head === undefined) return "";
  return [surface && others.length > 0 ? surface.paint.bold(head) : head, ...others].join("\n");
}

/** Shortens the widest column of text repeatedly until the table fits. Numbers are never cut. */
function narrow(widths: number[], isText: (column: number) => boolean, columns: number): void {
  let over = widths.reduce((sum, width) => sum + width, 0) + GAP.length * (widths.length - 1) - columns;
  while (over > 0) {
    let widest: number | undefined;
    for (const [i, width] of widths.entries())
      if (width > WIDTH_MIN && isText(i) && width > (widths[widest ?? -1] ?? 0)) widest = i;
    if (widest === undefined) return;
    widths[widest] = (widths[widest] ?? 0) - 1;
    over -= 1;
  }
}

function cut(text: string, width: number): string {
  if (Bun.stringWidth(text) <= width) return text;
  let kept = "";
  for (const character of text) {
    if (Bun.stringWidth(kept + character) > width - 1) break;
    kept += character;
  }
  return `${kept}…`;
}

const textOf = (cell: Cell) => visible(typeof cell === "object" ? cell.right : String(cell));
