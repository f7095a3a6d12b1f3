/**
 * The version of a file, as a text: where its path leads, which file that is, and when it was written last.
 */
import { type BigIntStats, realpathSync, statSync } from "node:fs";
import { realpath, stat } from "node:fs/promises";

/** Another one for whatever replaces the file, and for a link on the way that leads elsewhere. Of a file that is not there, why. */
export async function fileState(path: string): Promise<string> {
  try {
    const real = await realpath(path);
    return stateOf(real, await stat(real, { bigint: true }));
  } catch (cause) {
    return absent(cause);
  }
}

/** As fileState, for code that reads the file right after. */
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
