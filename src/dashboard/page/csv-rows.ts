/** Rows of a CSV file that was dropped: quotes, commas and line breaks within them as RFC 4180 has them. */

export function csvRows(text: string): string[][] {
  const rows: string[][] = [];
  let row: string[] = [];
  let cell = "";
  let isQuoted = false;
  const endRow = () => {
    row.push(cell);
    if (row.some((one) => one !== "")) rows.push(row);
    row = [];
    cell = "";
  };
  for (let i = 0; i < text.length; i++) {
    const letter = text[i] ?? "";
    if (isQuoted) {
      if (letter !== '"') cell += letter;
      else if (text[i + 1] === '"') cell += text[++i];
      else isQuoted = false;
    } else if (letter === '"' && cell === "") isQuoted = true;
    else if (letter === ",") {
      row.push(cell);
      cell = "";
    } else if (letter === "\n") endRow();
    else if (letter !== "\r") cell += letter;
  }
  if (cell !== "" || row.length > 0) endRow();
  return rows;
}

/** The texts of the column that has the longest: that is what people want embedded. A heading above them is left out. */
export function textsOf(rows: readonly (readonly string[])[]): string[] {
  const lengths: number[] = [];
  for (const row of rows) for (const [i, cell] of row.entries()) lengths[i] = (lengths[i] ?? 0) + cell.length;
  const column = lengths.indexOf(Math.max(...lengths));
  const texts = rows.map((row) => (row[column] ?? "").replaceAll(/\s+/g, " ").trim());
  const [first = "", ...others] = texts;
  const isHeading = /^[\w-]+$/.test(first) && others.length > 0 && others.every((text) => text.includes(" "));
  return isHeading ? others : texts;
}
