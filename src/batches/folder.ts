/**
 * The folder with the files of batches, one file per id. A file has a temporary name until it is complete, so that no id ever leads to an
 * incomplete file. `sweep` removes files that the database does not know.
 */
import { mkdirSync } from "node:fs";
import { type FileHandle, open, readdir, rename, rm, stat } from "node:fs/promises";
import { join } from "node:path";
import { GatewayError } from "../domain/errors";
import type { Outside } from "../domain/outside";
import { PRIVATE_FILE } from "../machine/private-files";

export interface Folder {
  pathOf(id: string): string;
  /** Begins a file. */
  write(id: string): Promise<Writing>;
  /** @param to exclusive, in bytes */
  read(id: string, from: number, to: number): ReadableStream<Uint8Array>;
  remove(id: string): Promise<void>;
  /** Removes unknown files, except recently written ones, which another process may be about to record. */
  sweep(isKnown: (id: string) => Promise<boolean>): Promise<void>;
}

export interface Writing {
  readonly bytes: number;
  add(bytes: Uint8Array): Promise<void>;
  /** Gives the file its name, as it is complete. */
  finish(): Promise<void>;
  /** Deletes the incomplete file. */
  drop(): Promise<void>;
}

export const PRIVATE_FOLDER = 0o700;
/** The ending of a work file's name. */
export const WORK = ".work";
/** The file that identifies the folder (marker.ts). */
export const MARKER = "file-folder";
const PART = ".part";
const SWEPT_AFTER_MS = 3_600_000;

export function openFolder(path: string, { now }: Pick<Outside, "now">): Folder {
  const pathOf = (id: string) => join(path, id);
  return {
    pathOf,
    async write(id) {
      const part = pathOf(id + PART);
      mkdirSync(path, { recursive: true, mode: PRIVATE_FOLDER });
      const handle = await open(part, "w", PRIVATE_FILE).catch(full);
      let bytes = 0;
      return {
        get bytes() {
          return bytes;
        },
        async add(more) {
          await writeWhole(handle, more).catch(full);
          bytes += more.length;
        },
        async finish() {
          await handle.close();
          await rename(part, pathOf(id));
        },
        async drop() {
          await handle.close().catch(() => undefined);
          await rm(part, { force: true });
        },
      };
    },
    read: (id, from, to) => Bun.file(pathOf(id)).slice(from, to).stream(),
    remove: (id) => rm(pathOf(id), { force: true }),
    async sweep(isKnown) {
      const names = await readdir(path).catch(() => []);
      for (const name of names) {
        if (await isKnown(name.replace(/\.[a-z]+$/, ""))) continue;
        const { mtimeMs = 0 } = (await stat(pathOf(name)).catch(() => undefined)) ?? {};
        if (now() - mtimeMs > SWEPT_AFTER_MS) await rm(pathOf(name), { force: true });
      }
    },
  };
}

export async function writeWhole(handle: FileHandle, bytes: Uint8Array): Promise<void> {
  for (let from = 0; from < bytes.length; ) from += (await handle.write(bytes, from)).bytesWritten;
}

/** @throws GatewayError busy: the disk is full, or must not be written to */
export function full(cause: unknown): never {
  const code = cause instanceof Error && "code" in cause ? ` (${String(cause.code)})` : "";
  throw new GatewayError(
    "busy",
    `A file could not be written${code}: the disk of the folder files.folder is full or read-only. Retry later.`,
    {
      cause,
      retryAfterMs: 60_000,
    },
  );
}
