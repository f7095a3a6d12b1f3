/**
 * Finds where a YAML mistake was made, which is often lines before the parser error: unclosed brackets and quotes, and lines that start
 * in another column than their neighbours. Messages contain only columns, lines and punctuation, never text of the file.
 */
import type { YAMLError } from "yaml";

export interface Slip {
  readonly offset: number;
  readonly message: string;
}

/** @returns undefined if the error's own message and position are the best available */
export function slipBehind(text: string, error: YAMLError, all: readonly YAMLError[]): Slip | undefined {
  const [start, end] = error.pos;
  if (/end with a [}\]]$/.test(error.message) || /closing .?quote/.test(error.message))
    return unclosed(text, start);
  if (/same column$|without - indicator$/.test(error.message)) return misplaced(text, lineOf(text, start));
  const next = all.find(({ code, pos }) => code === "MULTILINE_IMPLICIT_KEY" && pos[0] === start);
  if (error.code !== "BLOCK_AS_IMPLICIT_KEY" || next === undefined) return undefined;
  // What looks like two keys in one value is a line below that is indented deeper.
  const below = lineOf(text, Math.max(end, next.pos[1] - 1));
  return below > lineOf(text, start) ? misplaced(text, below) : undefined;
}

/** Starting at 0. */
function lineOf(text: string, offset: number): number {
  let line = 0;
  for (let i = text.indexOf("\n"); i !== -1 && i < offset; i = text.indexOf("\n", i + 1)) line += 1;
  return line;
}

const CLOSING: Readonly<Record<string, string>> = { "{": "}", "[": "]" };

interface Opened {
  readonly sign: string;
  readonly offset: number;
}

/** What is open where the parser gave up: quotes and comments are skipped, as far as possible without parsing. */
function unclosed(text: string, until: number): Slip | undefined {
  const brackets: Opened[] = [];
  let quote: Opened | undefined;
  for (let i = 0; i < until; i++) {
    const sign = text.charAt(i);
    const before = text.charAt(i - 1);
    if (quote) {
      if (sign === "\\" && quote.sign === '"') i += 1;
      else if (sign === quote.sign) quote = undefined;
    } else if ((sign === '"' || sign === "'") && /^[\s:,[{-]?$/.test(before)) quote = { sign, offset: i };
    else if (sign === "#" && /^\s?$/.test(before)) i = lineEnd(text, i);
    else if (sign in CLOSING && (brackets.length > 0 || /^[\s:-]?$/.test(before)))
      brackets.push({ sign, offset: i });
    else if (sign === CLOSING[brackets.at(-1)?.sign ?? ""]) brackets.pop();
  }
  if (quote)
    return {
      offset: quote.offset,
      message: `the quote ${quote.sign} that opens here is not closed: put a ${quote.sign} at the end of the text`,
    };
  const [first, ...others] = brackets.reverse();
  if (!first) return undefined;
  const closing = [first, ...others].map(({ sign }) => CLOSING[sign]).join(" ");
  const more = others.length === 0 ? "" : `, and close what is around it: ${closing}`;
  return {
    offset: first.offset,
    message: `the ${first.sign} that opens here is not closed: put a ${CLOSING[first.sign]} at its end${more}`,
  };
}

function lineEnd(text: string, from: number): number {
  const end = text.indexOf("\n", from);
  return end === -1 ? text.length : end;
}

/** A line whose column none of the lines above it has. */
function misplaced(text: string, line: number): Slip | undefined {
  const lines = text.split("\n");
  const column = startsIn(lines[line] ?? "")[0];
  if (column === undefined) return undefined;
  const neighbours: { readonly line: number; readonly column: number }[] = [];
  let least = Number.POSITIVE_INFINITY;
  for (let above = line - 1; above >= 0 && least > 1; above--) {
    // A list item has two columns: that of its dash, and that of what follows it.
    for (const found of startsIn(lines[above] ?? "").reverse()) {
      if (found >= least) continue;
      least = found;
      neighbours.push({ line: above, column: found });
    }
  }
  const deeper = neighbours.findLast((one) => one.column > column);
  const shallower = neighbours.find((one) => one.column < column);
  const near = [deeper, shallower].filter((one) => one !== undefined);
  // The intended column is the one next to it.
  near.sort((a, b) => Math.abs(a.column - column) - Math.abs(b.column - column));
  const [nearest] = near;
  if (nearest === undefined) return undefined;
  const offset = lines.slice(0, line).reduce((sum, { length }) => sum + length + 1, 0) + column - 1;
  return {
    offset,
    message: `line ${line + 1} starts in column ${column}, its neighbours in column ${nearest.column} (as line ${nearest.line + 1}): keys of one mapping start in one column`,
  };
}

/** The columns, starting at 1, in which a line's content starts; none for an empty line or a comment. */
function startsIn(line: string): number[] {
  const [, indent, dash] = /^( *)(- +)?[^\s#]/.exec(line) ?? [];
  if (indent === undefined) return [];
  const first = indent.length + 1;
  return dash === undefined ? [first] : [first, first + dash.length];
}
