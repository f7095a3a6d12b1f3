/**
 * A library of machine code that is carried in the executable, as the dynamic linker wants it: as a file. One in memory needs no writable
 * folder, no folder that programs may be run from, and leaves nothing behind. Linux with glibc alone has what it takes.
 * plugins/local loads its kernel the same way, in words of its own, for a plugin knows nothing of src/.
 */
import { dlopen, type FFIFunction } from "bun:ffi";
import { readFileSync, writeSync } from "node:fs";

const CLOSE_ON_EXEC = 1;

/**
 * @param path of an import `with { type: "file" }`
 * @throws Error where this system does not load it
 */
export function openCarriedLibrary<const Functions extends Record<string, FFIFunction>>(
  path: string,
  functions: Functions,
) {
  const { memfd_create } = dlopen("libc.so.6", {
    memfd_create: { args: ["ptr", "u32"], returns: "i32" },
  }).symbols;
  const file = memfd_create(Buffer.from("embedgate\0"), CLOSE_ON_EXEC);
  if (file < 0) throw new Error("the system gives no file in memory");
  writeSync(file, readFileSync(path));
  // Stays open: glibc knows a library by its name, and once closed the next one would get the same number, so the same name and this code.
  return dlopen(`/proc/self/fd/${file}`, functions).symbols;
}
