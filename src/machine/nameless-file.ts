/**
 * A file without a name, for memory that processes share: a process that inherits its descriptor maps it, and it goes with the last of them.
 * What is in it is region.ts's and src/cache/ring.ts's.
 */
import { closeSync, ftruncateSync, openSync, statfsSync, unlinkSync, writeSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";

/** In memory where the system has a place for that, else wherever files without a future go. */
const FOLDERS = ["/dev/shm", tmpdir()];

export interface NamelessFile {
  readonly descriptor: number;
  close(): void;
}

/**
 * @param bytes its length, of which `start` is written and the rest is no memory yet
 * @throws Error where no folder takes it
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
