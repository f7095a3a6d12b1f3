/**
 * The formats of OUT, by its ending. What has rows of one size is written in place; the others are written from such a file at the end.
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
  /** As the plan has it. */
  readonly name: string;
  readonly layout: Layout;
  /** undefined: the file of vectors is the output itself. */
  readonly write: ((path: string, finished: Finished) => Promise<void>) | undefined;
}

export type Dtype = "f32" | "f16";

const OUTPUTS: Readonly<Record<string, (dtype: Dtype) => Output>> = {
  ".npy": (dtype) => ({ name: `npy ${dtype}`, layout: `npy-${dtype}`, write: undefined }),
  ".f32": () => ({ name: "f32", layout: "f32", write: undefined }),
  ".parquet": () => ({ name: "parquet", layout: "f32", write: writeParquet }),
  ".jsonl": () => ({ name: "jsonl", layout: "f32", write: writeJsonLines }),
};

/** @throws WrongUsage for an ending that is no format's */
export function outputOf(path: string, dtype: Dtype | undefined): Output {
  const ending = extname(path).toLowerCase();
  const make = OUTPUTS[ending];
  if (make === undefined)
    throw new WrongUsage(`--out: ${path} ends with none of ${Object.keys(OUTPUTS).join(", ")}.`);
  if (dtype === "f16" && ending !== ".npy") throw new WrongUsage("--dtype f16 is for .npy alone.");
  return make(dtype ?? "f32");
}

/** Files beside OUT, while it is being made. */
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

/** OUT appears whole, under its own name, and then what was needed for it goes. */
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

/** All that runs before have left, but for OUT itself and its errors. */
export async function forget({ vectors, writing, journal, spool, scratch }: Paths): Promise<void> {
  // The journal last: as long as it is there, the rest is known to belong to it.
  for (const path of [vectors, writing, scratch, spool, journal]) await rm(path, { force: true });
}

/** A run that ended between giving OUT its name and forgetting the journal. */
export const isFinished = ({ out, vectors }: Paths, { write }: Output): boolean =>
  existsSync(out) && (write !== undefined || !existsSync(vectors));
