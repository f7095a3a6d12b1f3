/**
 * Releases the memory of the runtime's code that only the start has used: some 30 MB of the executable, which would count as this process's
 * memory until it ends. The pages stay in the system's page cache; those that are needed again come back from there, at some 1 µs for 64 kB.
 */
import { readFileSync } from "node:fs";
import { isExecutable } from "./executable";
import { openLibc } from "./libc";

/** From <sys/mman.h>. Code is not lost, as it is read from the file again. */
const MADV_DONTNEED = 4;

/** Only for the executable on Linux: elsewhere, and from source, it does nothing. */
export function giveBackStartPages(): void {
  if (process.platform !== "linux" || !isExecutable()) return;
  try {
    const libc = openLibc({ madvise: { args: ["u64", "u64", "i32"], returns: "i32" } });
    const maps = readFileSync("/proc/self/maps", "utf8");
    for (const { from, to } of codeOf(process.execPath, maps)) libc?.madvise(from, to - from, MADV_DONTNEED);
  } catch {
    // If /proc cannot be read, the pages stay.
  }
}

/** Only code: pages that can be written to, or were during linking, are not copies of the file. */
export function codeOf(path: string, maps: string): { readonly from: bigint; readonly to: bigint }[] {
  return maps.split("\n").flatMap((line) => {
    const [, from, to, file] = /^([0-9a-f]+)-([0-9a-f]+) r-xp \S+ \S+ \S+ +(\S.*)$/.exec(line) ?? [];
    return file === path ? [{ from: BigInt(`0x${from}`), to: BigInt(`0x${to}`) }] : [];
  });
}
