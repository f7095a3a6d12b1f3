/** OUT.errors.jsonl: a line for each row that has no vector. There is no such file where every row has one. */
import { closeSync, openSync, rmSync, writeSync } from "node:fs";
import type { Place } from "./survey";

/** Characters that are written at once. */
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

/** Of a job that is only looked at. */
export const NO_ERRORS: Errors = { add: () => undefined, close: () => undefined };
