/** Reads from a Linux executable which loader and shared libraries it needs (ELF-64, little-endian; elf(5)). */

const PT_LOAD = 1;
const PT_DYNAMIC = 2;
const PT_INTERP = 3;
const DT_NEEDED = 1;
const DT_STRTAB = 5;

export interface Needs {
  /** Its path, such as /lib64/ld-linux-x86-64.so.2. */
  readonly loader: string;
  readonly libraries: readonly string[];
}

export function needsOf(file: Uint8Array): Needs {
  const view = new DataView(file.buffer, file.byteOffset, file.byteLength);
  if (view.getUint32(0) !== 0x7f454c46 || file[4] !== 2 || file[5] !== 1)
    throw new Error("not an ELF-64 file");
  const word = (at: number) => Number(view.getBigUint64(at, true));
  const text = (at: number) => Buffer.from(file.subarray(at, file.indexOf(0, at))).toString();
  const size = view.getUint16(54, true);
  const headers = Array.from({ length: view.getUint16(56, true) }, (_, i) => {
    const at = word(32) + i * size;
    return {
      type: view.getUint32(at, true),
      offset: word(at + 8),
      address: word(at + 16),
      bytes: word(at + 32),
    };
  });
  const interpreter = headers.find(({ type }) => type === PT_INTERP);
  const dynamic = headers.find(({ type }) => type === PT_DYNAMIC);
  if (!interpreter || !dynamic) throw new Error("a static executable");
  const tags = Array.from({ length: dynamic.bytes / 16 }, (_, i) => ({
    tag: word(dynamic.offset + i * 16),
    value: word(dynamic.offset + i * 16 + 8),
  }));
  const strings = tags.find(({ tag }) => tag === DT_STRTAB)?.value ?? 0;
  const segment = headers.find(
    ({ type, address, bytes }) => type === PT_LOAD && strings >= address && strings < address + bytes,
  );
  if (!segment) throw new Error("its strings are in no segment");
  const start = strings - segment.address + segment.offset;
  return {
    loader: text(interpreter.offset),
    libraries: tags.filter(({ tag }) => tag === DT_NEEDED).map(({ value }) => text(start + value)),
  };
}
