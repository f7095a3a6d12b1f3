/** OUT.errors.jsonl: a line for each row that has no vector. There is no such file where every row has one. */
import { createWriteStream } from "node:fs";
import { rm } from "node:fs/promises";
import type { Place } from "./survey";

export interface Errors {
  readonly count: number;
  add(row: number, place: Place, reason: string): void;
  close(): Promise<void>;
}

export async function openErrors(path: string): Promise<Errors> {
  await rm(path, { force: true });
  let stream: ReturnType<typeof createWriteStream> | undefined;
  let count = 0;
  return {
    get count() {
      return count;
    },
    add(row, place, reason) {
      stream ??= createWriteStream(path);
      stream.write(`${JSON.stringify({ row, ...place, reason })}\n`);
      count += 1;
    },
    close: () =>
      new Promise((resolve, reject) => {
        if (stream === undefined) return resolve();
        stream.on("error", reject);
        stream.end(() => resolve());
      }),
  };
}
