/**
 * The content of an input file, row by row: a text, or the reason why there is none. Row i of the input is row i of the output.
 * A new format is a line of READERS in sources.ts, and a reader that yields these rows.
 */

/** A row without a text to embed. */
export interface Unusable {
  readonly reason: string;
}

export type Row = string | Unusable;

/** Rows come in batches: an await for each row would take longer than reading it. */
export type Rows = AsyncGenerator<readonly Row[], void>;

/** The text if it can be sent, or the reason why not. */
export function usable(text: string): Row {
  if (text === "") return EMPTY;
  // A lone surrogate would be sent as U+FFFD, which is a different text.
  return text.isWellFormed() ? text : HALF_CHARACTER;
}

export const EMPTY: Unusable = { reason: "the text is empty" };
const HALF_CHARACTER: Unusable = { reason: "the text holds half of a character (a lone surrogate)" };
export const NOT_UTF_8: Unusable = { reason: "it is not UTF-8" };

/** Approximate memory of a batch: each row is an object in addition to its text and the line that it came from. */
export const bytesIn = (batch: readonly Row[]): number =>
  batch.reduce((sum, row) => sum + 64 + (typeof row === "string" ? 2 * row.length : 0), 0);

/** The value at a dotted path, such as `a.b` or `texts.0`, as a row. */
export function rowAt(value: unknown, path: readonly string[]): Row {
  let found = value;
  for (const name of path) {
    found =
      typeof found === "object" && found !== null && Object.hasOwn(found, name)
        ? Reflect.get(found, name)
        : undefined;
  }
  if (typeof found === "string") return usable(found);
  const field = path.join(".");
  return {
    reason:
      found === undefined
        ? `there is no '${field}'`
        : `'${field}' is ${found === null ? "null" : `of type ${Array.isArray(found) ? "array" : typeof found}`}, not a string`,
  };
}
