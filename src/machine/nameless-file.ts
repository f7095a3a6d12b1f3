/**
 * A file without a name, as memory that several processes share: a process that inherits its descriptor maps it, and it is freed with the last one.
 * src/sharing/region.ts and src/cache/ring.ts define its contents.
 */
import { closeSync, ftruncateSync, openSync, statfsSync, unlinkSync, writeSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";

/** In memory if the system offers that, otherwise in the folder for temporary files. */
const FOLDERS = ["/dev/shm", tmpdir()];

export interface NamelessFile {
  readonly descriptor: number;
  close(): void;
}

/**
 * @param bytes the file's length; `start` is written at its beginning, and the rest uses no memory yet
 * @throws Error if no folder accepts the file
 */
export function createNamelessFile(name: string, bytes: number, start: Uint8Array): NamelessFile {
  const roomy = FOLDERS.filter((folder) => roomIn(folder) >= bytes);
  let failure: unknown;
  for (const folder of [...roomy, ...FOLDERS]) {
    try {
      return createIn(folder, name, bytes, start);
    } catch (cause) {
      failure = cause;
    }
  }
  throw failure;
}

function createIn(folder: string, name: string, bytes: number, start: Uint8Array): NamelessFile {
  const path = join(folder, `embedgate-${name}`);
  const descriptor = openSync(path, "wx+", 0o600);
  unlinkSync(path);
  try {
    if (writeSync(descriptor, start) < start.byteLength) throw new Error(`${folder} is full`);
    ftruncateSync(descriptor, bytes);
    return { descriptor, close: () => closeSync(descriptor) };
  } catch (cause) {
    closeSync(descriptor);
    throw cause;
  }
}

function roomIn(folder: string): number {
  try {
    const { bavail, bsize } = statfsSync(folder);
    return bavail * bsize;
  } catch {
    return 0;
  }
}
