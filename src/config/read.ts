/**
 * First step: the routing file's bytes as text, or the reason why it cannot be read.
 * YAML does not matter here.
 */
import { resolve } from "node:path";
import { readAtMost } from "../machine/bounded-read";
import { fileStateNow } from "../machine/file-state";

/** A routing file is written by hand: a larger file is a mistake, such as a database. */
export const MOST_BYTES = 1024 * 1024;

export type ReadFile =
  | {
      readonly ok: true;
      readonly text: string;
      /** State of the file when it was read; left out by callers that do not watch it. */
      readonly state?: string;
    }
  | { readonly ok: false; readonly absent: boolean; readonly line: number; readonly message: string };

/** @param file absolute, or relative to `folder` */
export async function readRoutingFile(folder: string, file: string): Promise<ReadFile> {
  let bytes: Uint8Array;
  const state = fileStateNow(resolve(folder, file));
  try {
    bytes = await readAtMost(resolve(folder, file), MOST_BYTES);
  } catch (error) {
    const code = error instanceof Error && "code" in error ? String(error.code) : "";
    return {
      ok: false,
      absent: code === "ENOENT",
      line: 0,
      message: REASONS[code] ?? `cannot be read: ${code || String(error)}`,
    };
  }
  if (bytes.byteLength > MOST_BYTES) {
    return refused(0, "is larger than 1 MB, the limit of a routing file; is it the right file?");
  }
  if ((bytes[0] === 0xff && bytes[1] === 0xfe) || (bytes[0] === 0xfe && bytes[1] === 0xff)) {
    return refused(1, "is UTF-16; save it as UTF-8");
  }
  try {
    // `ignoreBOM: false` removes a byte order mark.
    const text = new TextDecoder("utf-8", { fatal: true, ignoreBOM: false }).decode(bytes);
    return { ok: true, text, state };
  } catch {
    return refused(firstBadLine(bytes), "is not UTF-8 text from this line on; save it as UTF-8");
  }
}

const REASONS: Readonly<Record<string, string>> = {
  ENOENT: "does not exist; name another with --config, or leave --config out",
  EACCES: "cannot be read (permission denied): check the file's permissions",
  EPERM: "cannot be read (permission denied): check the file's permissions",
  EISDIR: "is a folder, not a file; name the file in it",
  ENOTDIR: "does not exist: a part of its path is a file, not a folder",
};

function refused(line: number, message: string): ReadFile {
  return { ok: false, absent: false, line, message };
}

function firstBadLine(bytes: Uint8Array): number {
  let line = 1;
  for (let start = 0; start < bytes.byteLength; line++) {
    const end = bytes.indexOf(0x0a, start);
    const stop = end === -1 ? bytes.byteLength : end;
    try {
      new TextDecoder("utf-8", { fatal: true }).decode(bytes.subarray(start, stop));
    } catch {
      return line;
    }
    start = stop + 1;
  }
  return line;
}
