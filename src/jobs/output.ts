/**
 * The output formats, by the file ending of OUT. Formats with rows of equal size are written in place; others are written from such a file at the end.
 * A new format is a row of OUTPUTS.
 */
import { existsSync } from "node:fs";
import { open, rename, rm } from "node:fs/promises";
import { extname } from "node:path";
import { WrongUsage } from "../terminal/wrong-usage";
import type { Finished } from "./finished";
import { writeJsonLines } from "./jsonl-output";
import { writeParquet } from "./parquet-output";
import type { Layout } from "./vector-file";

export interface Output {
  /** As in the plan. */
  readonly name: string;
  readonly layout: Layout;
  /** undefined: the file of vectors is itself the output. */
  readonly write: ((path: string, finished: Finished) => Promise<void>) | undefined;
}

export type Dtype = "f32" | "f16";

const OUTPUTS: Readonly<Record<string, (dtype: Dtype) => Output>> = {
  ".npy": (dtype) => ({ name: `npy ${dtype}`, layout: `npy-${dtype}`, write: undefined }),
  ".f32": () => ({ name: "f32", layout: "f32", write: undefined }),
  ".parquet": () => ({ name: "parquet", layout: "f32", write: writeParquet }),
  ".jsonl": () => ({ name: "jsonl", layout: "f32", write: writeJsonLines }),
};

/** @throws WrongUsage for an unknown file ending */
export function outputOf(path: string, dtype: Dtype | undefined): Output {
  const ending = extname(path).toLowerCase();
  const make = OUTPUTS[ending];
  if (make === undefined)
    throw new WrongUsage(`--out: ${path} ends with none of ${Object.keys(OUTPUTS).join(", ")}.`);
  if (dtype === "f16" && ending !== ".npy") throw new WrongUsage("--dtype f16 is for .npy alone.");
  return make(dtype ?? "f32");
}

/** Files beside OUT that exist until it is complete. */
export interface Paths {
  readonly out: string;
  readonly vectors: string;
  readonly writing: string;
  readonly journal: string;
  readonly lock: string;
  readonly errors: string;
  readonly scratch: string;
  readonly spool: string;
}

export const pathsOf = (out: string): Paths => ({
  out,
  vectors: `${out}.partial`,
  writing: `${out}.writing`,
  journal: `${out}.journal`,
  lock: `${out}.lock`,
  errors: `${out}.errors.jsonl`,
  scratch: `${out}.hashes`,
  spool: `${out}.stdin`,
});

/** OUT appears under its own name only when it is complete; then the temporary files are removed. */
export async function finish({ write }: Output, paths: Paths, finished: Finished): Promise<void> {
  if (write === undefined) {
    await finished.file.close();
    await rename(paths.vectors, paths.out);
  } else {
    await write(paths.writing, finished);
    await onDisk(paths.writing);
    await finished.file.close();
    await rename(paths.writing, paths.out);
  }
  await forget(paths);
}

async function onDisk(path: string): Promise<void> {
  const file = await open(path, "r+");
  try {
    await file.datasync();
  } finally {
    await file.close();
  }
}

/** Removes everything that earlier runs left, except OUT itself and its errors. */
export async function forget({ vectors, writing, journal, spool, scratch }: Paths): Promise<void> {
  // The journal goes last: while it exists, the other files are known to belong to it.
  for (const path of [vectors, writing, scratch, spool, journal]) await rm(path, { force: true });
}

/** Whether a run ended after it had named OUT and before it removed the journal. */
export const isFinished = ({ out, vectors }: Paths, { write }: Output): boolean =>
  existsSync(out) && (write !== undefined || !existsSync(vectors));
