/** Which parts of a process's memory are copies of the executable's file, and nothing else. */
import { expect, test } from "bun:test";
import { isOfFile, readOnly, sectionOf } from "../../src/machine/executable-pages";

const MAPS = `00200000-01a3f000 r--p 00000000 fe:00 263 /usr/bin/embedgate
01a40000-06865000 r-xp 01840000 fe:00 263 /usr/bin/embedgate
06866000-06a00000 rw-p 06666000 fe:00 263 /usr/bin/embedgate
7f24b93b9000-7f24b950f000 r-xp 00028000 fe:00 99  /usr/lib/x86_64-linux-gnu/libc.so.6
7f24b9600000-7f24b9700000 rwxp 00000000 00:00 0
`;

test("code and constants, of that file, which cannot be written to", () => {
  expect(readOnly("/usr/bin/embedgate", MAPS)).toEqual([
    { from: 0x00200000n, to: 0x01a3f000n },
    { from: 0x01a40000n, to: 0x06865000n },
  ]);
});

test("a path with spaces", () => {
  const maps = MAPS.replaceAll("/usr/bin/embedgate", "/opt/my tools/embedgate");
  expect(readOnly("/opt/my tools/embedgate", maps)).toHaveLength(2);
});

test("of an executable that was replaced meanwhile, nothing", () => {
  expect(readOnly("/usr/bin/embedgate", MAPS.replaceAll("embedgate", "embedgate (deleted)"))).toEqual([]);
});

test("memory with a page that was written to is not a copy of the file, nor with one in swap space", () => {
  const page = (bits: bigint) => Buffer.from(new BigUint64Array([bits << 61n]).buffer);
  const [absent, ofFile, written, inSwap] = [page(0n), page(5n), page(4n), page(2n)];
  expect(isOfFile(Buffer.concat([absent, ofFile, ofFile]))).toBe(true);
  expect(isOfFile(Buffer.concat([ofFile, absent, written]))).toBe(false);
  expect(isOfFile(Buffer.concat([ofFile, inSwap, ofFile]))).toBe(false);
});

/** An ELF file of sections whose addresses are given, with nothing in them. */
function elf(
  type: number,
  sections: readonly (readonly [name: string, from: bigint, bytes: bigint])[],
): Buffer {
  const names = Buffer.from(["", ...sections.map(([name]) => name), ".shstrtab", ""].join("\0"), "latin1");
  const table = Buffer.alloc(64 * (sections.length + 2));
  for (const [i, [name, from, bytes]] of sections.entries()) {
    table.writeUInt32LE(names.indexOf(`\0${name}\0`) + 1, 64 * (i + 1));
    table.writeBigUInt64LE(from, 64 * (i + 1) + 16);
    table.writeBigUInt64LE(bytes, 64 * (i + 1) + 32);
  }
  const last = 64 * (sections.length + 1);
  table.writeUInt32LE(names.indexOf("\0.shstrtab\0") + 1, last);
  table.writeBigUInt64LE(64n, last + 24);
  table.writeBigUInt64LE(BigInt(names.length), last + 32);
  const head = Buffer.alloc(64);
  head.write("\x7fELF\x02", "latin1");
  head.writeUInt16LE(type, 16);
  head.writeBigUInt64LE(BigInt(64 + names.length), 40);
  head.writeUInt16LE(64, 58);
  head.writeUInt16LE(sections.length + 2, 60);
  head.writeUInt16LE(sections.length + 1, 62);
  return Buffer.concat([head, names, table]);
}

const FIXED = 2;
const ANYWHERE = 3;
const SECTIONS = [
  [".bundle", 0x1000n, 0x10n],
  [".bun", 0x6a22000n, 0x2e173cfn],
] as const;

test("a section is found by its whole name, in a file that is loaded at fixed addresses", () => {
  const find = (file: Buffer) => sectionOf(".bun", (at, count) => file.subarray(at, at + count));
  expect(find(elf(FIXED, SECTIONS))).toEqual({ from: 0x6a22000n, to: 0x98393cfn });
  expect(find(elf(FIXED, SECTIONS.slice(0, 1)))).toBeUndefined();
  expect(find(elf(ANYWHERE, SECTIONS))).toBeUndefined();
  expect(find(Buffer.alloc(64))).toBeUndefined();
});
