/**
 * CSV and TSV by RFC 4180: a header, and fields that may be quoted, with doubled quotes and line breaks inside quotes.
 * Blank lines are not rows.
 */
import { WrongUsage } from "../terminal/wrong-usage";
import { blocksOf } from "./line-rows";
import { type Row, type Rows, usable } from "./rows";

const QUOTE = 0x22;
const NEWLINE = 0x0a;
const RETURN = 0x0d;

/** @throws WrongUsage if the header has no such column, or the file is not UTF-8 */
export async function* csvRows(path: string, field: string, separator: "," | "\t"): Rows {
  let column: number | undefined;
  const records = createRecords(separator.charCodeAt(0));
  const decoder = new TextDecoder("utf-8", { fatal: true });
  const rowsOf = (found: readonly (readonly string[])[]): Row[] =>
    found.flatMap((record) => {
      if (column === undefined) {
        column = columnOf(record, field, path);
        return [];
      }
      const text = record[column];
      return [text === undefined ? { reason: `the record has no column '${field}'` } : usable(text)];
    });
  for await (const block of blocksOf(path)) {
    yield rowsOf(records.take(decoded(decoder, block, path)));
  }
  yield rowsOf(records.end());
  if (column === undefined)
    throw new WrongUsage(`${path} is empty: a CSV file begins with its columns' names`);
}

/** After bytes that are not UTF-8 the boundaries of records are unknown. */
function decoded(decoder: TextDecoder, block: Uint8Array, path: string): string {
  try {
    return decoder.decode(block, { stream: true });
  } catch {
    throw new WrongUsage(`${path} is not UTF-8.`);
  }
}

function columnOf(header: readonly string[], field: string, path: string): number {
  const column = header.indexOf(field);
  if (column !== -1) return column;
  if (header.length === 1) return 0;
  throw new WrongUsage(`${path} has no column '${field}' (--field): its columns are ${header.join(", ")}`);
}

interface Records {
  /** @returns the records that this text completes. */
  take(text: string): string[][];
  /** The last record, if no line break follows it. */
  end(): string[][];
}

function createRecords(separator: number): Records {
  let record: string[] = [];
  let field = "";
  let isQuoted = false;
  /** The last character was a quote inside a quoted field: the end of the field, or the first of two quotes. */
  let isAfterQuote = false;

  function endRecord(into: string[][]): void {
    record.push(field.endsWith("\r") && !isAfterQuote ? field.slice(0, -1) : field);
    const isBlank = record.length === 1 && record[0] === "" && !isAfterQuote;
    if (!isBlank) into.push(record);
    record = [];
    field = "";
    isAfterQuote = false;
  }

  function take(text: string): string[][] {
    const found: string[][] = [];
    let from = 0;
    for (let at = 0; at < text.length; at++) {
      const code = text.charCodeAt(at);
      if (isQuoted) {
        if (code !== QUOTE) continue;
        field += text.slice(from, at);
        from = at + 1;
        isQuoted = false;
        isAfterQuote = true;
      } else if (code === QUOTE && isAfterQuote) {
        // Two quotes stand for one, and the field goes on.
        field += '"';
        from = at + 1;
        isQuoted = true;
        isAfterQuote = false;
      } else if (code === QUOTE && field === "" && from === at) {
        from = at + 1;
        isQuoted = true;
      } else if (code === separator) {
        if (!isAfterQuote) field += text.slice(from, at);
        record.push(field);
        field = "";
        from = at + 1;
        isAfterQuote = false;
      } else if (code === NEWLINE) {
        if (!isAfterQuote) field += text.slice(from, at);
        endRecord(found);
        from = at + 1;
      } else if (isAfterQuote && code !== RETURN) {
        // Text after a closing quote is not valid CSV: it is kept, as most readers do.
        isAfterQuote = false;
        from = at;
      }
    }
    if (isQuoted || !isAfterQuote) field += text.slice(from);
    return found;
  }

  return {
    take,
    end() {
      const found: string[][] = [];
      if (field !== "" || record.length > 0) endRecord(found);
      return found;
    },
  };
}
