/**
 * The system's C library, for the few things that Bun has no words for. Where it is not found, each user does without.
 * A system that has another name for it is a line of LIBRARIES.
 */
import { dlopen, type FFIFunction } from "bun:ffi";

const LIBRARIES = [
  "libc.so.6",
  "libc.musl-x86_64.so.1",
  "libc.musl-aarch64.so.1",
  "libSystem.B.dylib",
] as const;

/** The functions asked for; undefined where there is no such library, or not all of them in it. */
export function openLibc<const Functions extends Record<string, FFIFunction>>(functions: Functions) {
  for (const library of LIBRARIES) {
    try {
      return dlopen(library, functions).symbols;
    } catch {
      // Of another system.
    }
  }
  return undefined;
}
