/**
 * A disk cache in its own folder, with a clock that the test moves. `beside` is another connection to its file, to change it like another
 * process or a failing disk.
 */
import { Database } from "bun:sqlite";
import { existsSync, mkdtempSync, rmSync, statSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { type Disk, openDisk } from "../../src/cache/disk";
import { type FakeOutside, fakeOutside } from "../fake-outside";

export const MEGABYTE = 2 ** 20;

export interface OnDisk extends AsyncDisposable {
  readonly folder: string;
  readonly path: string;
  readonly clock: FakeOutside;
  /** Opens it again under the same name: the one before should be closed. */
  open(bytesMax?: number): Disk;
  /** Closing writes what is queued into the file. */
  close(disk: Disk): Promise<void>;
  /** Another connection; closed at the end. */
  beside(): Database;
  /** Bytes of the file and SQLite's files beside it, without the shared index (32 KB, in memory). */
  bytesOnDisk(): number;
  /** The warnings so far. */
  warnings(): readonly string[];
}

export function onDisk(): OnDisk {
  const folder = mkdtempSync(join(tmpdir(), "embedgate-cache-"));
  const path = join(folder, "gateway.db-cache");
  const clock = fakeOutside();
  const opened: Disk[] = [];
  const connections: Database[] = [];
  return {
    folder,
    path,
    clock,
    open(bytesMax = 4 * MEGABYTE) {
      const disk = openDisk(path, bytesMax, clock.outside);
      opened.push(disk);
      return disk;
    },
    close: (disk) => clock.until(disk.close()),
    beside() {
      const database = new Database(path, { strict: true });
      connections.push(database);
      return database;
    },
    bytesOnDisk() {
      let bytes = 0;
      for (const file of [path, `${path}-wal`, `${path}-journal`]) {
        if (existsSync(file)) bytes += statSync(file).size;
      }
      return bytes;
    },
    warnings: () => clock.logs.filter(({ level }) => level === "warn").map(({ message }) => message),
    async [Symbol.asyncDispose]() {
      for (const connection of connections) connection.close();
      for (const disk of opened) await clock.until(disk.close());
      rmSync(folder, { recursive: true, force: true });
    },
  };
}
