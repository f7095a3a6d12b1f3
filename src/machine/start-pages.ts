/**
 * The code of the runtime that only the start has run: some 30 MB of the executable that would count as this process's memory for as long as
 * it lives. It is given back to the system, in whose cache it stays; what is needed again comes back from there, some 1 µs for 64 kB.
 */
import { readFileSync } from "node:fs";
import { isExecutable } from "./executable";
import { openLibc } from "./libc";

/** Of <sys/mman.h>. Of code nothing is lost: it is read from the file again. */
const MADV_DONTNEED = 4;

/** On Linux; elsewhere, and from source, it does nothing. */
export function giveBackStartPages(): void {
  if (process.platform !== "linux" || !isExecutable()) return;
  try {
    const libc = openLibc({ madvise: { args: ["u64", "u64", "i32"], returns: "i32" } });
    const maps = readFileSync("/proc/self/maps", "utf8");
    for (const { from, to } of codeOf(process.execPath, maps)) libc?.madvise(from, to - from, MADV_DONTNEED);
  } catch {
    // Where /proc is not to be read, they stay.
  }
}

/** Its code alone: pages that may be written to, or were while it was linked, are no copies of the file. */
export function codeOf(path: string, maps: string): { readonly from: bigint; readonly to: bigint }[] {
  return maps.split("\n").flatMap((line) => {
    const [, from, to, file] = /^([0-9a-f]+)-([0-9a-f]+) r-xp \S+ \S+ \S+ +(\S.*)$/.exec(line) ?? [];
    return file === path ? [{ from: BigInt(`0x${from}`), to: BigInt(`0x${to}`) }] : [];
  });
}
