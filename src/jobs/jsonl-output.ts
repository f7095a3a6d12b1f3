/** OUT.jsonl: one line `{"row":0,"embedding":[…]}` per row, in the rows' order; the embedding is null for a row without one. */
import { open } from "node:fs/promises";
import { createCollecting } from "../machine/collecting";
import { printPage } from "../printing/print";
import type { Page } from "../printing/script";
import type { Finished } from "./finished";

/** Numbers that are read and printed at a time. */
const NUMBERS_AT_ONCE = 256 * 1024;

export async function writeJsonLines(path: string, { file, without, turn }: Finished): Promise<void> {
  const out = await open(path, "w");
  const collect = createCollecting();
  const step = Math.max(1, Math.floor(NUMBERS_AT_ONCE / file.dimensions));
  try {
    for (let from = 0; from < file.rows; from += step) {
      const count = Math.min(step, file.rows - from);
      const values = await file.read(from, count);
      const lines = printPage(pageOf(from, values, file.dimensions, without));
      await out.appendFile(lines);
      collect(lines.buffer.byteLength);
      await turn();
    }
  } finally {
    await out.close();
  }
}

/** The lines of consecutive rows, with their vectors as numbers still to be printed. */
function pageOf(first: number, values: Float32Array, dimensions: number, without: Finished["without"]): Page {
  const vectors: Float32Array[] = [];
  const words: string[] = [];
  let said = "";
  for (let at = 0, row = first; at < values.length; at += dimensions, row++) {
    said += `{"row":${row},"embedding":`;
    if (without.has(row)) said += "null";
    else {
      vectors.push(values.subarray(at, at + dimensions));
      words.push(said);
      said = "";
    }
    said += "}\n";
  }
  return { encoding: "float", vectors, words: [...words, said] };
}
