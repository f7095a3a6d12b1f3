/**
 * Files of lines: plain text, one text per line, and JSON Lines. Every line is a row, even an empty or broken one, so that row i is line i.
 */
import { open } from "node:fs/promises";
import { WrongUsage } from "../terminal/wrong-usage";
import { EMPTY, NOT_UTF_8, type Row, type Rows, rowAt, usable } from "./rows";

const BLOCK_BYTES = 256 * 1024;
/** No text is this long; a file without line breaks would fill the memory. */
const LINE_BYTES_MAX = 64 * 2 ** 20;
const NEWLINE = 0x0a;

/** Blocks of whole lines; the last one may lack its line break. @throws WrongUsage for a line over 64 MB */
export async function* blocksOf(path: string): AsyncGenerator<Uint8Array, void> {
  const handle = await open(path, "r");
  try {
    let rest = new Uint8Array();
    for (;;) {
      const block = new Uint8Array(rest.length + Math.max(BLOCK_BYTES, rest.length));
      block.set(rest);
      const { bytesRead } = await handle.read(block, rest.length, block.length - rest.length);
      const read = block.subarray(0, rest.length + bytesRead);
      if (bytesRead === 0) {
        if (read.length > 0) yield read;
        return;
      }
      const end = read.lastIndexOf(NEWLINE) + 1;
      if (end > 0) yield read.subarray(0, end);
      rest = read.slice(end);
      if (rest.length > LINE_BYTES_MAX) throw new WrongUsage(`${path} has a line of more than 64 MB.`);
    }
  } finally {
    await handle.close();
  }
}

/** Strict. It keeps a byte order mark, which is part of the text at the start of a block. */
const decoder = new TextDecoder("utf-8", { fatal: true, ignoreBOM: true });

function decoded(bytes: Uint8Array): string | undefined {
  try {
    return decoder.decode(bytes);
  } catch {
    return undefined;
  }
}

const BYTE_ORDER_MARK = "\ufeff";

/** Lines without their line breaks; undefined for a line that is not UTF-8. */
export async function* linesOf(path: string): AsyncGenerator<readonly (string | undefined)[], void> {
  let isFirst = true;
  for await (const block of blocksOf(path)) {
    const text = decoded(block);
    const lines = text === undefined ? linesOneByOne(block) : text.split("\n");
    // What follows the last line break is not a line.
    if (block.at(-1) === NEWLINE) lines.pop();
    const [first] = lines;
    if (isFirst && first?.startsWith(BYTE_ORDER_MARK)) lines[0] = first.slice(1);
    isFirst = false;
    yield lines.map((line) => (line?.endsWith("\r") ? line.slice(0, -1) : line));
  }
}

function linesOneByOne(block: Uint8Array): (string | undefined)[] {
  const lines: (string | undefined)[] = [];
  let from = 0;
  for (let end = block.indexOf(NEWLINE); end !== -1; end = block.indexOf(NEWLINE, from)) {
    lines.push(decoded(block.subarray(from, end)));
    from = end + 1;
  }
  lines.push(decoded(block.subarray(from)));
  return lines;
}

export async function* plainRows(path: string): Rows {
  for await (const lines of linesOf(path))
    yield lines.map((line) => (line === undefined ? NOT_UTF_8 : usable(line)));
}

/** @param field a dotted path; a line that is a JSON string is itself the text */
export async function* jsonRows(path: string, field: string): Rows {
  const names = field.split(".");
  for await (const lines of linesOf(path)) yield lines.map((line) => jsonRow(line, names));
}

function jsonRow(line: string | undefined, names: readonly string[]): Row {
  if (line === undefined) return NOT_UTF_8;
  if (line.trim() === "") return EMPTY;
  let value: unknown;
  try {
    value = JSON.parse(line);
  } catch {
    return { reason: "the line is not JSON" };
  }
  return typeof value === "string" ? usable(value) : rowAt(value, names);
}
