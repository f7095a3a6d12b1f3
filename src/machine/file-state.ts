/**
 * The version of a file as a string: the path after links, the file's identity, and the time of its last change.
 */
import { type BigIntStats, realpathSync, statSync } from "node:fs";
import { realpath, stat } from "node:fs/promises";

/** Changes when the file is replaced, or when a link in its path leads elsewhere. For a missing file it contains the error. */
export async function fileState(path: string): Promise<string> {
  try {
    const real = await realpath(path);
    return stateOf(real, await stat(real, { bigint: true }));
  } catch (cause) {
    return absent(cause);
  }
}

/** Like fileState, for code that reads the file right after. */
export function fileStateNow(path: string): string {
  try {
    const real = realpathSync(path);
    return stateOf(real, statSync(real, { bigint: true }));
  } catch (cause) {
    return absent(cause);
  }
}

const stateOf = (real: string, { dev, ino, size, mtimeNs, ctimeNs }: BigIntStats) =>
  [real, dev, ino, size, mtimeNs, ctimeNs].join(" ");

const absent = (cause: unknown) =>
  cause instanceof Error && "code" in cause ? String(cause.code) : String(cause);
