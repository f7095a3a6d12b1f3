/**
 * How to call this program from the shell that started it: by its name if it is on the PATH, otherwise by its path, or from source by the
 * package's script. Printed commands start with it.
 */
import { basename, relative } from "node:path";
import { isExecutable } from "./executable";

export function ownCommand(main = Bun.main, executable = process.execPath, folder = process.cwd()): string {
  if (!isExecutable(main)) return "bun run embedgate";
  const name = basename(executable);
  if (Bun.which(name) === executable) return name;
  const path = relative(folder, executable);
  // A relative path with many "../" is harder to read than an absolute one.
  return path.startsWith("../..") ? executable : /^\.\.?[\\/]/.test(path) ? path : `./${path}`;
}
