/**
 * Which files a job reads, and how: paths, globs and `-` for standard input, by file ending or --input-format.
 * A new format is a line of READERS, and its name one of formats.ts.
 */
import { createWriteStream, existsSync, realpathSync, statSync } from "node:fs";
import { extname, resolve } from "node:path";
import { pipeline } from "node:stream/promises";
import { WrongUsage } from "../terminal/wrong-usage";
import { csvRows } from "./csv-rows";
import { INPUT_FORMATS, type InputFormat } from "./formats";
import { jsonRows, plainRows } from "./line-rows";
import { parquetRows } from "./parquet-rows";
import type { Rows } from "./rows";

interface Reader {
  /** File endings. */
  readonly endings: readonly string[];
  readonly read: (path: string, field: string) => Rows;
  /** What error reports call one row. */
  readonly unit: "line" | "record";
}

const READERS: Readonly<Record<InputFormat, Reader>> = {
  lines: { endings: [".txt", ".text"], read: (path) => plainRows(path), unit: "line" },
  jsonl: { endings: [".jsonl", ".ndjson", ".json"], read: jsonRows, unit: "line" },
  csv: { endings: [".csv"], read: (path, field) => csvRows(path, field, ","), unit: "record" },
  tsv: { endings: [".tsv", ".tab"], read: (path, field) => csvRows(path, field, "\t"), unit: "record" },
  parquet: { endings: [".parquet", ".pq"], read: parquetRows, unit: "record" },
};

export interface Source {
  /** As on the command line, for reports. */
  readonly name: string;
  readonly path: string;
  readonly format: InputFormat;
}

export const STANDARD_INPUT = "-";

/**
 * @param names in the given order; the files of a glob are sorted by name
 * @param spool where standard input is stored, since it is read more than once
 * @param own the job's own files: a glob leaves them out
 * @throws WrongUsage if there is no such file, or it is one of the job's own
 */
export async function sourcesOf(
  names: readonly string[],
  format: InputFormat | undefined,
  spool: string,
  own: readonly string[],
): Promise<Source[]> {
  const taken = new Set(own.map(placeOf));
  const sources: Source[] = [];
  for (const name of names) {
    if (name === STANDARD_INPUT) {
      sources.push({ name, path: spool, format: format ?? "lines" });
      continue;
    }
    const isThere = existsSync(name);
    if (isThere && taken.has(placeOf(name)))
      throw new WrongUsage(`--out: ${name} is an input too: name another file.`);
    if (isThere && statSync(name).isDirectory())
      throw new WrongUsage(`${name} is a folder: name its files, such as '${name}/*.jsonl'.`);
    const paths = isThere ? [name] : (await found(name)).filter((path) => !taken.has(placeOf(path)));
    if (paths.length === 0)
      throw new WrongUsage(isGlob(name) ? `No file matches ${name}.` : `The file ${name} does not exist.`);
    for (const path of paths) sources.push({ name: path, path, format: format ?? formatOf(path) });
  }
  if (sources.filter(({ path }) => path === spool).length > 1)
    throw new WrongUsage("Give - (standard input) once.");
  return sources;
}

/** A file's real path, so that links to one file are equal. */
const placeOf = (path: string) => (existsSync(path) ? realpathSync(path) : resolve(path));

const isGlob = (name: string) => /[*?[{]/.test(name);

async function found(pattern: string): Promise<string[]> {
  if (!isGlob(pattern)) return [];
  return (await Array.fromAsync(new Bun.Glob(pattern).scan({ cwd: ".", onlyFiles: true }))).sort();
}

function formatOf(path: string): InputFormat {
  const ending = extname(path).toLowerCase();
  return INPUT_FORMATS.find((name) => READERS[name].endings.includes(ending)) ?? "lines";
}

export const rowsOf = ({ path, format }: Source, field: string): Rows => READERS[format].read(path, field);

export const unitOf = ({ format }: Source): "line" | "record" => READERS[format].unit;

/** Stores standard input in a file. */
export async function keepStandardInput(spool: string): Promise<void> {
  await pipeline(process.stdin, createWriteStream(spool, { mode: 0o600 }));
}
