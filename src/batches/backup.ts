/**
 * Copies the folder of batches' files into a backup, and restores it: the copy must have every file that the database's copy names. A finished
 * file never changes, but may be deleted at any moment. A running batch appends to its work file, and deletes it at the end.
 */
import { Database } from "bun:sqlite";
import {
  chmodSync,
  chownSync,
  closeSync,
  constants,
  copyFileSync,
  existsSync,
  mkdirSync,
  openSync,
  readdirSync,
  readSync,
  renameSync,
  rmSync,
  statSync,
  writeSync,
} from "node:fs";
import { dirname, join } from "node:path";
import { OPEN } from "../books/batch-records";
import type { Beside } from "../db/backup";
import { GatewayError } from "../domain/errors";
import { PRIVATE_FILE } from "../machine/private-files";
import { MARKER, PRIVATE_FOLDER, WORK } from "./folder";

/** The copied files. */
export interface Copied {
  readonly folder: string;
  readonly count: number;
  readonly bytes: number;
  /** Named by the database, but not in the folder. */
  readonly missing: number;
}

/** What a copy of the database names. */
interface Named {
  /** Ids of files. */
  readonly files: readonly string[];
  /** Ids of running batches, which may have a work file. */
  readonly batches: readonly string[];
}

function namedIn(database: string, now: number): Named {
  const copy = new Database(database, { readonly: true });
  const ids = (sql: string, ...values: number[]) =>
    copy
      .query<{ id: string }, number[]>(sql)
      .all(...values)
      .map(({ id }) => id);
  try {
    // A database of an older version has no batches.
    const has = copy.query("SELECT 1 FROM sqlite_schema WHERE name = 'files'").get();
    if (has === null) return { files: [], batches: [] };
    return {
      files: ids(
        `SELECT id FROM files WHERE id <> '${MARKER}' AND (expires_at IS NULL OR expires_at > ?
         OR id IN (SELECT input_file_id FROM batches WHERE ${OPEN}))`,
        now,
      ),
      batches: ids(`SELECT id FROM batches WHERE ${OPEN} AND status <> 'validating'`),
    };
  } finally {
    copy.close();
  }
}

export interface FilesBackup extends Beside {
  /** The result, once the copy is finished. */
  readonly copied: Copied;
  /** Removes an unfinished copy. */
  drop(): void;
}

/**
 * Files that are deleted while the database is copied are copied before; files that are new in the database's copy are copied afterwards. The
 * database must be copied again if a batch began and ended in between, because its work file is gone.
 * @param from the folder, which may not exist
 * @param to the copy's name
 * @throws GatewayError database_unavailable where `to` exists
 */
export function openFilesBackup(from: string, to: string, now: number): FilesBackup {
  if (existsSync(to)) throw new GatewayError("database_unavailable", `${to} exists: name another file.`);
  const partial = `${to}.partial`;
  const pathOf = (name: string) => join(partial, name);
  /** Open handles of work files, which can be read even after they are deleted. */
  const work = new Map<string, number>();
  let named: Named = { files: [], batches: [] };
  let copied: Copied = { folder: to, count: 0, bytes: 0, missing: 0 };

  function copy(name: string): boolean {
    if (existsSync(pathOf(name))) return true;
    return unlessGone(() => {
      copyFileSync(join(from, name), pathOf(name), constants.COPYFILE_FICLONE);
      chmodSync(pathOf(name), PRIVATE_FILE);
    });
  }

  /** It may be newer than the database's copy: the process that continues the batch settles the lines that the database lacks. */
  function copyWork(batch: string): boolean {
    const name = batch + WORK;
    const open = work.get(name);
    rmSync(pathOf(name), { force: true });
    if (open === undefined) return copy(name);
    copyOpen(open, pathOf(name));
    return true;
  }

  return {
    begin() {
      mkdirSync(partial, { recursive: true, mode: PRIVATE_FOLDER });
      for (const name of namesIn(from)) {
        if (!name.endsWith(WORK)) copy(name);
        else if (!work.has(name)) unlessGone(() => work.set(name, openSync(join(from, name), "r")));
      }
    },
    complete(database) {
      named = namedIn(database, now);
      for (const id of named.files) copy(id);
      return named.batches.map(copyWork).every(Boolean);
    },
    finish() {
      const known = new Set([MARKER, ...named.files, ...named.batches.map((id) => id + WORK)]);
      for (const name of readdirSync(partial)) if (!known.has(name)) rmSync(pathOf(name), { force: true });
      const there = named.files.filter((id) => existsSync(pathOf(id)));
      const bytes = there.reduce((sum, id) => sum + statSync(pathOf(id)).size, 0);
      if (readdirSync(partial).length === 0) rmSync(partial, { recursive: true });
      else renameSync(partial, to);
      copied = { folder: to, count: there.length, bytes, missing: named.files.length - there.length };
    },
    get copied() {
      return copied;
    },
    drop() {
      for (const open of work.values()) closeSync(open);
      work.clear();
      rmSync(partial, { recursive: true, force: true });
    },
  };
}

/**
 * Restores a backup's files. The existing folder is renamed to `kept`; if it cannot be renamed, such as a mount point, the files are added to it.
 * @param database the restored database
 */
export function restoreFiles(
  from: string,
  folder: string,
  kept: string,
  database: string,
  now: number,
): Copied {
  const { files } = namedIn(database, now);
  if (existsSync(from)) {
    if (namesIn(folder).length > 0) {
      try {
        renameSync(folder, kept);
      } catch (cause) {
        if (!isOf(cause, "EBUSY", "EXDEV", "EACCES", "EPERM")) throw cause;
      }
    }
    mkdirSync(folder, { recursive: true, mode: PRIVATE_FOLDER });
    // Run as root, the files would belong to root, and the gateway's own user could not read them.
    const { uid, gid } = statSync(dirname(database));
    const own = (path: string) => process.getuid?.() === 0 && chownSync(path, uid, gid);
    own(folder);
    for (const name of readdirSync(from)) {
      copyFileSync(join(from, name), join(folder, name), constants.COPYFILE_FICLONE);
      own(join(folder, name));
    }
  }
  const there = files.filter((id) => existsSync(join(folder, id)));
  const bytes = there.reduce((sum, id) => sum + statSync(join(folder, id)).size, 0);
  return { folder, count: there.length, bytes, missing: files.length - there.length };
}

/** Complete files and work files; none if the folder does not exist. */
function namesIn(folder: string): string[] {
  if (!existsSync(folder)) return [];
  return readdirSync(folder).filter((name) => /^(?:file|batch)[-_][\w-]+(?:\.work)?$/.test(name));
}

const isOf = (cause: unknown, ...codes: string[]) =>
  cause instanceof Error && "code" in cause && codes.includes(String(cause.code));

/** @returns false if the file no longer exists */
function unlessGone(work: () => void): boolean {
  try {
    work();
    return true;
  } catch (cause) {
    if (isOf(cause, "ENOENT")) return false;
    throw cause;
  }
}

function copyOpen(from: number, to: string): void {
  const block = new Uint8Array(2 ** 20);
  const into = openSync(to, "wx", PRIVATE_FILE);
  try {
    for (let at = 0; ; ) {
      const count = readSync(from, block, 0, block.length, at);
      if (count === 0) return;
      for (let done = 0; done < count; ) done += writeSync(into, block, done, count - done);
      at += count;
    }
  } finally {
    closeSync(into);
  }
}
