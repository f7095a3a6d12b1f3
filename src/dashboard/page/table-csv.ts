/**
 * A table of the page as CSV, for tables without a CSV in the Admin API: the shown cells without buttons, and exact amounts (a cell's `title`)
 * where the page rounds them.
 */
import { csv } from "../../terminal/csv";

/** `12.5` and `0.0031 USD`. */
const EXACT = /^(-?\d[\d.]*)(?: USD)?$/;

export function csvOf(table: HTMLTableElement): string {
  const [heads = [], ...rows] = [...table.rows].map(({ cells }) => [...cells].map(said));
  // A column without a heading has buttons.
  const columns = heads.filter((head) => head !== "");
  return csv(
    columns,
    rows.map((cells) => Object.fromEntries(heads.map((head, i) => [head, cells[i] ?? ""]))),
  );
}

function said(cell: HTMLTableCellElement): string {
  const [, exact] = EXACT.exec(cell.querySelector("[title]")?.getAttribute("title") ?? "") ?? [];
  if (exact !== undefined) return exact;
  const buttons = [...cell.querySelectorAll("button")].map(({ textContent }) => textContent ?? "");
  // A cell of two lines: a name, and what it belongs to. What only narrow screens have there has a column of its own.
  return [...(cell.querySelector(".two")?.children ?? [cell])]
    .filter((line) => !line.matches(".narrow"))
    .map(({ textContent }) =>
      buttons.reduce((all, button) => all.replace(button, ""), textContent ?? "").trim(),
    )
    .filter((text) => text !== "" && text !== "–")
    .join(", ");
}
