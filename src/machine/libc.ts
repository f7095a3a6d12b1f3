/**
 * The system's C library, for a few functions that Bun lacks. If the library is not found, each caller works without it.
 * A system with another name for it is a line of LIBRARIES.
 */
import { dlopen, type FFIFunction } from "bun:ffi";

const LIBRARIES = [
  "libc.so.6",
  "libc.musl-x86_64.so.1",
  "libc.musl-aarch64.so.1",
  "libSystem.B.dylib",
] as const;

/** The requested functions; undefined if the library or one of them is missing. */
export function openLibc<const Functions extends Record<string, FFIFunction>>(functions: Functions) {
  for (const library of LIBRARIES) {
    try {
      return dlopen(library, functions).symbols;
    } catch {
      // This is the name on another system.
    }
  }
  return undefined;
}
