/**
 * Files that only the user whom the gateway runs as may read: they hold texts, usage and hashes of keys. Code that makes a file beside the
 * database asks here first, since SQLite makes files by the umask, and their logs by the mode that they have.
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
 * The file, made if absent, and what lies beside it by its name: SQLite's log and index, caches, presences, copies that someone made. The
 * folder too, where it is made here or nothing else is in it; a home folder or /tmp stays as it is.
 * @throws Error where the file can be neither made nor looked at
 */
export function makePrivate(path: string): void {
  const folder = dirname(path);
  mkdirSync(folder, { recursive: true, mode: PRIVATE_FOLDER });
  make(path);
  // What a link leads to is the database anyway; beside it, a link may lead anywhere.
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

/** So that at no time it has another mode. One that exists is not opened: closing it would end the locks that this process has on it. */
function make(path: string): void {
  try {
    closeSync(openSync(path, "wx", PRIVATE_FILE));
  } catch (cause) {
    if (!(cause instanceof Error && "code" in cause && cause.code === "EEXIST")) throw cause;
  }
}

/** It went with another process of the gateway that ended; or on this file system the mount decides who may read. */
const PASSED_OVER = ["ENOENT", "EPERM", "ENOTSUP", "EOPNOTSUPP", "EROFS"];

/** Takes others' rights away. What is another user's stays as that one has it: it is not ours to change, and may be ours to use. */
function narrow(path: string, mode: number, { mode: before, uid }: Stats): void {
  if ((before & 0o077) === 0 || (process.getuid && uid !== process.getuid())) return;
  try {
    chmodSync(path, before & mode);
  } catch (cause) {
    if (!(cause instanceof Error && "code" in cause && PASSED_OVER.includes(String(cause.code)))) throw cause;
  }
}
