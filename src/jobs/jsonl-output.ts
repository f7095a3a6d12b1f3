/** OUT.jsonl: `{"row":0,"embedding":[…]}` a line, in the rows' order; the embedding is null where a row has none. */
import { open } from "node:fs/promises";
import { createCollecting } from "../machine/collecting";
import { printFloats } from "../printing/float-digits";
import type { Finished } from "./finished";

/** Numbers that are read and printed at once. */
const NUMBERS_AT_ONCE = 256 * 1024;

export async function writeJsonLines(path: string, { file, without, turn }: Finished): Promise<void> {
  const out = await open(path, "w");
  const collect = createCollecting();
  const step = Math.max(1, Math.floor(NUMBERS_AT_ONCE / file.dimensions));
  try {
    for (let from = 0; from < file.rows; from += step) {
      const count = Math.min(step, file.rows - from);
      const values = await file.read(from, count);
      const lines: string[] = [];
      for (let place = 0; place < count; place++) {
        const row = from + place;
        const vector = values.subarray(place * file.dimensions, (place + 1) * file.dimensions);
        const printed = without.has(row) ? "null" : `[${numbersOf(vector)}]`;
        lines.push(`{"row":${row},"embedding":${printed}}\n`);
      }
      const text = lines.join("");
      await out.appendFile(text);
      collect(8 * text.length);
      await turn();
    }
  } finally {
    await out.close();
  }
}

const decoder = new TextDecoder();

function numbersOf(vector: Float32Array): string {
  let text = "";
  printFloats(vector, (bytes) => {
    text += decoder.decode(bytes);
  });
  return text.slice(0, -1);
}
