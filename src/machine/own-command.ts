/**
 * How to call this program from the shell that started it: by its name if it is on the PATH, otherwise by its path, or from source by the
 * package's script. Printed commands start with it.
 */
import { basename, relative } from "node:path";

/** Paths of files that are built into an executable. */
const BUILT_IN = /^(\/\$bunfs\/|[A-Z]:[\\/]~BUN[\\/])/;

export function ownCommand(main = Bun.main, executable = process.execPath, folder = process.cwd()): string {
  if (!BUILT_IN.test(main)) return "bun run embedgate";
  const name = basename(executable);
  if (Bun.which(name) === executable) return name;
  const path = relative(folder, executable);
  // A relative path with many "../" is harder to read than an absolute one.
  return path.startsWith("../..") ? executable : /^\.\.?[\\/]/.test(path) ? path : `./${path}`;
}
