/**
 * A command's output: a terminal, which has a width and may have colours, or a pipe or file, which has neither. NO_COLOR
 * (no-color.org) and TERM=dumb turn colours off. A new colour is a member of `Paint`.
 */
import { type Cell, table } from "./table";

export interface Screen {
  /** undefined: unlimited. */
  readonly columns: number | undefined;
  readonly paint: Paint;
}

export interface Paint {
  bold(text: string): string;
  red(text: string): string;
  green(text: string): string;
  dim(text: string): string;
}

const plain = (text: string) => text;
export const PAPER: Screen = {
  columns: undefined,
  paint: { bold: plain, red: plain, green: plain, dim: plain },
};

/** Select Graphic Rendition, ECMA-48. */
const sgr = (on: number, off: number) => (text: string) => `\u001b[${on}m${text}\u001b[${off}m`;
const COLOURS: Paint = { bold: sgr(1, 22), red: sgr(31, 39), green: sgr(32, 39), dim: sgr(2, 22) };

interface Stream {
  readonly isTTY?: boolean;
  readonly columns?: number;
}

export function screenOf(
  { isTTY, columns }: Stream,
  environment: Readonly<Record<string, string | undefined>>,
): Screen {
  if (!isTTY) return PAPER;
  const isPlain = (environment.NO_COLOR ?? "") !== "" || environment.TERM === "dumb";
  return { columns: columns || undefined, paint: isPlain ? PAPER.paint : COLOURS };
}

export const screen = () => screenOf(process.stdout, process.env);

/** Prints rows, the first one as the heading, at most as wide as the terminal. */
export function printTable(rows: readonly (readonly Cell[])[]): void {
  console.log(table(rows, screen()));
}
