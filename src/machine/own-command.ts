/**
 * How this program is called from the shell that started it: by its name where the PATH has it, else by its path, from source by the
 * package's script. What is printed to be typed begins with it.
 */
import { basename, relative } from "node:path";

/** Where an executable keeps what was built into it. */
const BUILT_IN = /^(\/\$bunfs\/|[A-Z]:[\\/]~BUN[\\/])/;

export function ownCommand(main = Bun.main, executable = process.execPath, folder = process.cwd()): string {
  if (!BUILT_IN.test(main)) return "bun run embedgate";
  const name = basename(executable);
  if (Bun.which(name) === executable) return name;
  const path = relative(folder, executable);
  // A path of many steps up is read worse than a whole one.
  return path.startsWith("../..") ? executable : /^\.\.?[\\/]/.test(path) ? path : `./${path}`;
}
