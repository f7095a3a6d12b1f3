/**
 * Files from which a routing file takes single values, `${file:/run/secrets/key}`: found in its text and read before it is parsed.
 * src/serving/following.ts watches them; a further reason why one cannot be read is a line of REASONS.
 */
import { resolve } from "node:path";
import { readAtMost } from "../machine/bounded-read";
import { fileState } from "../machine/file-state";

export type FileValue = (
  | { readonly ok: true; readonly text: string }
  /** The end of a sentence that starts with the file's path. */
  | { readonly ok: false; readonly reason: string }
) & {
  /** Identifies this version of the file. */
  readonly state: string;
};

/** A key, a certificate or a service account's JSON; a larger file is a mistake. */
const BYTES_MAX = 256 * 1024;

const REASONS: Readonly<Record<string, string>> = {
  ENOENT: "does not exist",
  ENOTDIR: "does not exist",
  EACCES: "cannot be read (permission denied): check the file's permissions",
  EPERM: "cannot be read (permission denied): check the file's permissions",
  EISDIR: "is a folder, not a file",
};

const OPENS = "${file:";

/** The paths in a routing file's text, as written. */
export function pathsIn(text: string): string[] {
  const paths = new Set<string>();
  for (let at = text.indexOf(OPENS); at !== -1; at = text.indexOf(OPENS, at + 1)) {
    const end = text.indexOf("}", at);
    if (end !== -1) paths.add(pathOf(text.slice(at + OPENS.length, end)).path);
  }
  return [...paths];
}

/** @param inner the text between `${file:` and `}` */
export function pathOf(inner: string): { readonly path: string; readonly otherwise: string | undefined } {
  const at = inner.indexOf(":-");
  return at === -1
    ? { path: inner, otherwise: undefined }
    : { path: inner.slice(0, at), otherwise: inner.slice(at + 2) };
}

/** @returns the content of each path, by the path as written; @param folder the folder for relative paths */
export async function readValueFiles(
  paths: readonly string[],
  folder: string,
): Promise<ReadonlyMap<string, FileValue>> {
  const values = await Promise.all(
    paths.map(async (path) => [path, await readValue(resolve(folder, path))] as const),
  );
  return new Map(values);
}

export async function readValue(path: string): Promise<FileValue> {
  // Before it is read: a change meanwhile must not be missed.
  const state = await fileState(path);
  try {
    const bytes = await readAtMost(path, BYTES_MAX);
    if (bytes.byteLength > BYTES_MAX)
      return { ok: false, state, reason: "is larger than 256 KB, the limit of one value" };
    return { ok: true, state, text: decoder().decode(bytes) };
  } catch (error) {
    if (error instanceof TypeError) return { ok: false, state, reason: "is not UTF-8 text" };
    const code = error instanceof Error && "code" in error ? String(error.code) : String(error);
    return { ok: false, state, reason: REASONS[code] ?? `cannot be read: ${code}` };
  }
}

/** Removes a byte order mark, and throws TypeError for invalid UTF-8. */
const decoder = () => new TextDecoder("utf-8", { fatal: true });
