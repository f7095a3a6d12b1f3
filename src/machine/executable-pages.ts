/**
 * Gives back memory that the executable's own pages take without being used: the runtime's code and constants, and ours, some 50 MB after a start
 * and the compilers' work under load. The pages stay in the system's page cache; those that are needed again come back from there, at some 1 µs
 * for 64 kB. What may be given back is decided here: only what is a plain copy of the file.
 */
import { closeSync, openSync, readFileSync, readSync } from "node:fs";
import type { Outside } from "../domain/outside";
import { isExecutable } from "./executable";
import { openLibc } from "./libc";

/** From <sys/mman.h>. Nothing is lost, as the pages are read from the file again. */
const MADV_DONTNEED = 4;

/** By then the start is over. */
const START_MS = 300;
const LOOK_MS = 5_000;
/** An idle gateway keeps what a query needs. */
const GROWN_BYTES = 10 * 2 ** 20;

export interface Range {
  readonly from: bigint;
  readonly to: bigint;
}

/** Again and again, as long as the process runs. Only for the executable on Linux: elsewhere, and from source, it does nothing. */
export function keepExecutableSmall({ alarm }: Pick<Outside, "alarm">): void {
  if (process.platform !== "linux" || !isExecutable()) return;
  const libc = openLibc({
    madvise: { args: ["u64", "u64", "i32"], returns: "i32" },
    getpagesize: { args: [], returns: "i32" },
  });
  if (libc === undefined) return;
  const pageBytes = BigInt(libc.getpagesize());
  let least = 0;
  const look = () => {
    try {
      if (fileBytes() > least + GROWN_BYTES) {
        const maps = readFileSync("/proc/self/maps", "utf8");
        const path = process.execPath;
        for (const range of [...readOnly(path, maps), ...bundled(path, maps, pageBytes)])
          if (isUnchanged(range, pageBytes)) libc.madvise(range.from, range.to - range.from, MADV_DONTNEED);
        least = fileBytes();
      }
      alarm(LOOK_MS, look);
    } catch {
      // If /proc cannot be read, the pages stay.
    }
  };
  alarm(START_MS, look);
}

/** Code and constants. Pages that can be written to are not all copies of the file. */
export function readOnly(path: string, maps: string): Range[] {
  return mapped(path, maps).flatMap(({ from, to, may }) => (may.startsWith("r-") ? [{ from, to }] : []));
}

/**
 * Our own code: Bun puts it into a section that it only reads, but maps it together with memory that is written to.
 * @returns nothing for an executable that is not loaded at fixed addresses, or has no such section
 */
function bundled(path: string, maps: string, pageBytes: bigint): Range[] {
  const file = openSync("/proc/self/exe", "r");
  try {
    const section = sectionOf(".bun", (at, count) => {
      const bytes = Buffer.alloc(count);
      readSync(file, bytes, 0, count, at);
      return bytes;
    });
    if (section === undefined) return [];
    const from = (section.from + pageBytes - 1n) & -pageBytes;
    const to = section.to & -pageBytes;
    const isMapped = mapped(path, maps).some((one) => one.from <= from && to <= one.to);
    return isMapped && from < to ? [{ from, to }] : [];
  } finally {
    closeSync(file);
  }
}

function mapped(path: string, maps: string): (Range & { readonly may: string })[] {
  return maps.split("\n").flatMap((line) => {
    const [, from, to, may, file] = /^([0-9a-f]+)-([0-9a-f]+) (\S{4}) \S+ \S+ \S+ +(\S.*)$/.exec(line) ?? [];
    return file === path && may !== undefined
      ? [{ from: BigInt(`0x${from}`), to: BigInt(`0x${to}`), may }]
      : [];
  });
}

/**
 * The addresses of a section of an ELF file of 64 bits that is loaded at fixed addresses.
 * @param read gives bytes at an offset of the file
 */
export function sectionOf(name: string, read: (at: number, count: number) => Buffer): Range | undefined {
  const head = read(0, 64);
  const isFixed = head.readUInt16LE(16) === 2;
  if (head.toString("latin1", 0, 5) !== "\x7fELF\x02" || !isFixed) return undefined;
  const [size, count, names] = [head.readUInt16LE(58), head.readUInt16LE(60), head.readUInt16LE(62)];
  const table = read(Number(head.readBigUInt64LE(40)), size * count);
  const place = (section: number) => Number(table.readBigUInt64LE(section * size + 24));
  const length = (section: number) => table.readBigUInt64LE(section * size + 32);
  const texts = read(place(names), Number(length(names)));
  for (let section = 0; section < count; section++) {
    const at = table.readUInt32LE(section * size);
    if (texts.toString("latin1", at, texts.indexOf(0, at)) !== name) continue;
    const from = table.readBigUInt64LE(section * size + 16);
    return { from, to: from + length(section) };
  }
  return undefined;
}

/** Whether no page of this memory was written to or moved to swap space: the system tells of each page. */
function isUnchanged({ from, to }: Range, pageBytes: bigint): boolean {
  const pages = openSync("/proc/self/pagemap", "r");
  try {
    const entries = Buffer.alloc(Number((to - from) / pageBytes) * 8);
    const read = readSync(pages, entries, 0, entries.length, Number(from / pageBytes) * 8);
    return read === entries.length && isOfFile(entries);
  } finally {
    closeSync(pages);
  }
}

/** @param entries of /proc/PID/pagemap: of a page that is in memory the highest bit is set, in swap space the next, of a file the third */
export function isOfFile(entries: Uint8Array): boolean {
  for (let at = 7; at < entries.length; at += 8) {
    const bits = (entries[at] ?? 0) >> 5;
    if (bits !== 0 && bits !== 5 && bits !== 1) return false;
  }
  return true;
}

/** Of all files that are mapped into this process, in memory now. */
const fileBytes = () =>
  Number(/^RssFile:\s+(\d+) kB/m.exec(readFileSync("/proc/self/status", "utf8"))?.[1] ?? 0) * 1024;
