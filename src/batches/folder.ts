/**
 * Where the files of batches lie: one folder, a file an id. A file being written has a temporary name until it is complete, so that no id ever
 * leads to a part. `sweep` removes files that the database does not know.
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
  /** From and to a byte, the last one not included. */
  read(id: string, from: number, to: number): ReadableStream<Uint8Array>;
  remove(id: string): Promise<void>;
  /** Removes unknown files that were not written to lately: another process may be about to record one. */
  sweep(isKnown: (id: string) => Promise<boolean>): Promise<void>;
}

export interface Writing {
  readonly bytes: number;
  add(bytes: Uint8Array): Promise<void>;
  /** From now on the id leads to it. */
  finish(): Promise<void>;
  /** Discards it. */
  drop(): Promise<void>;
}

export const PRIVATE_FOLDER = 0o700;
/** What a batch's work file ends with. */
export const WORK = ".work";
/** The file by which a folder is known (marker.ts). */
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

/** The disk is full, or may not be written to. */
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
