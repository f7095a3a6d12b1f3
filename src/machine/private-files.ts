/**
 * Makes files readable only by the gateway's own user: they contain texts, usage and hashes of keys. Call this before creating a file beside the
 * database, since SQLite creates files by the umask, and their logs with the file's mode.
 */
import {
  chmodSync,
  closeSync,
  lstatSync,
  mkdirSync,
  openSync,
  readdirSync,
  type Stats,
  statSync,
} from "node:fs";
import { basename, dirname, join } from "node:path";

export const PRIVATE_FILE = 0o600;
const PRIVATE_FOLDER = 0o700;

/**
 * The file, created if missing, and the files beside it with its name: SQLite's log and index, caches, process lists, and copies. The
 * folder too, if it is created here or contains nothing else; a home folder or /tmp is not changed.
 * @throws Error if the file can be neither created nor inspected
 */
export function makePrivate(path: string): void {
  const folder = dirname(path);
  mkdirSync(folder, { recursive: true, mode: PRIVATE_FOLDER });
  make(path);
  // The target of a link is the database itself, so it is changed; links beside it may lead anywhere.
  narrow(path, PRIVATE_FILE, statSync(path));
  const name = basename(path);
  const isOurs = (other: string) =>
    other === name || other.startsWith(`${name}-`) || other.startsWith(`${name}.`);
  const names = readdirSync(folder);
  for (const other of names.filter(isOurs)) {
    const found = lstatSync(join(folder, other), { throwIfNoEntry: false });
    if (found?.isFile()) narrow(join(folder, other), PRIVATE_FILE, found);
  }
  if (names.every(isOurs)) narrow(folder, PRIVATE_FOLDER, statSync(folder));
}

/** Created with this mode from the start. An existing file is not opened: closing it would release this process's locks on it. */
function make(path: string): void {
  try {
    closeSync(openSync(path, "wx", PRIVATE_FILE));
  } catch (cause) {
    if (!(cause instanceof Error && "code" in cause && cause.code === "EEXIST")) throw cause;
  }
}

/** Another process of the gateway removed the file, or on this file system the mount options decide who may read. */
const PASSED_OVER = ["ENOENT", "EPERM", "ENOTSUP", "EOPNOTSUPP", "EROFS"];

/** Removes other users' rights. A file of another user stays as it is: it is not ours to change, and may still be ours to use. */
function narrow(path: string, mode: number, { mode: before, uid }: Stats): void {
  if ((before & 0o077) === 0 || (process.getuid && uid !== process.getuid())) return;
  try {
    chmodSync(path, before & mode);
  } catch (cause) {
    if (!(cause instanceof Error && "code" in cause && PASSED_OVER.includes(String(cause.code)))) throw cause;
  }
}
