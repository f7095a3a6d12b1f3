/**
 * Loads a machine-code library that is part of the executable. The dynamic linker needs a file, so the library is written to a memory file: that
 * needs no writable folder, no folder that allows executables, and leaves nothing behind. Linux with glibc only.
 * plugins/local loads its kernel the same way in its own code, because a plugin does not import from src/.
 */
import { dlopen, type FFIFunction } from "bun:ffi";
import { readFileSync, writeSync } from "node:fs";

const CLOSE_ON_EXEC = 1;

/**
 * @param path path of an import `with { type: "file" }`
 * @throws Error if this system cannot load it
 */
export function openCarriedLibrary<const Functions extends Record<string, FFIFunction>>(
  path: string,
  functions: Functions,
) {
  const { memfd_create } = dlopen("libc.so.6", {
    memfd_create: { args: ["ptr", "u32"], returns: "i32" },
  }).symbols;
  const file = memfd_create(Buffer.from("embedgate\0"), CLOSE_ON_EXEC);
  if (file < 0) throw new Error("the system does not support files in memory");
  writeSync(file, readFileSync(path));
  // The file stays open: glibc identifies a library by its path. If it were closed, the next library would get the same descriptor and path, and so this code.
  return dlopen(`/proc/self/fd/${file}`, functions).symbols;
}
