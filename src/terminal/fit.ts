/**
 * Makes a page fit a narrow terminal: drops the least important columns of tables, folds lines or cuts them. A pipe has no width, so nothing
 * is dropped there.
 */
import { type Cell, WIDTH_MIN } from "./table";

const GAP = 2;
/** For the first column, which names the row. */
const NAME_MIN = 14;

/**
 * @param rows the first one is the heading
 * @param least headings of columns that may be left out, in that order
 */
export function fitted(
  rows: readonly (readonly Cell[])[],
  least: readonly string[],
  columns: number | undefined,
): readonly (readonly Cell[])[] {
  let kept = rows;
  for (const head of least) {
    if (columns === undefined || leastWidth(kept) <= columns) return kept;
    const place = kept[0]?.indexOf(head) ?? -1;
    if (place >= 0) kept = kept.map((row) => row.filter((_, i) => i !== place));
  }
  return kept;
}

/** Text can be cut, numbers cannot. */
function leastWidth(rows: readonly (readonly Cell[])[]): number {
  const widths: number[] = [];
  for (const row of rows)
    for (const [i, cell] of row.entries()) {
      const width = Bun.stringWidth(typeof cell === "object" ? cell.right : String(cell));
      const least = typeof cell === "string" ? Math.min(width, i === 0 ? NAME_MIN : WIDTH_MIN) : width;
      widths[i] = Math.max(widths[i] ?? 0, least);
    }
  return widths.reduce((sum, width) => sum + width + GAP, -GAP);
}

/** Puts as many parts on each line as fit. */
export function folded(parts: readonly string[], gap: string, columns: number | undefined): string {
  const lines: string[] = [];
  for (const part of parts) {
    const last = lines.at(-1);
    const together = last === undefined ? part : `${last}${gap}${part}`;
    const fits = columns === undefined || Bun.stringWidth(together) <= columns;
    if (last !== undefined && fits) lines[lines.length - 1] = together;
    else lines.push(part);
  }
  return lines.join("\n");
}

/** Cuts lines that are longer than the terminal is wide. Colour codes take no width, and a cut colour ends with its line. */
export const cutAt = (page: string, columns: number): string =>
  page
    .split("\n")
    .map((line) => (Bun.stringWidth(line) <= columns ? line : `${Bun.sliceAnsi(line, 0, columns - 1)}…`))
    .join("\n");
