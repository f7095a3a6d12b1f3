/** Rows of a dropped CSV file: quotes, commas and line breaks inside quotes by RFC 4180. */

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

/** The texts of the column with the longest ones, which is probably the one to embed. A heading above them is left out. */
export function textsOf(rows: readonly (readonly string[])[]): string[] {
  const lengths: number[] = [];
  for (const row of rows) for (const [i, cell] of row.entries()) lengths[i] = (lengths[i] ?? 0) + cell.length;
  const column = lengths.indexOf(Math.max(...lengths));
  const texts = rows.map((row) => (row[column] ?? "").replaceAll(/\s+/g, " ").trim());
  const [first = "", ...others] = texts;
  const isHeading = /^[\w-]+$/.test(first) && others.length > 0 && others.every((text) => text.includes(" "));
  return isHeading ? others : texts;
}
