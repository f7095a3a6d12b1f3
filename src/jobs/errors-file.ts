/** OUT.errors.jsonl: one line for each row without a vector. The file does not exist if every row has one. */
import { closeSync, openSync, rmSync, writeSync } from "node:fs";
import type { Place } from "./survey";

/** Characters per write. */
const GATHERED = 64 * 1024;

export interface Errors {
  add(row: number, place: Place, reason: string): void;
  close(): void;
}

export function openErrors(path: string): Errors {
  rmSync(path, { force: true });
  let file: number | undefined;
  let gathered = "";
  const write = () => {
    if (gathered === "") return;
    file ??= openSync(path, "w");
    writeSync(file, gathered);
    gathered = "";
  };
  return {
    add(row, place, reason) {
      gathered += `${JSON.stringify({ row, ...place, reason })}\n`;
      if (gathered.length >= GATHERED) write();
    },
    close() {
      write();
      if (file !== undefined) closeSync(file);
      file = undefined;
    },
  };
}

/** For a job that is only inspected. */
export const NO_ERRORS: Errors = { add: () => undefined, close: () => undefined };
