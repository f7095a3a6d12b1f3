/**
 * Writes vectors in place: row i has its own offset, whichever row is finished first. The file is created at full size, so that after a crash
 * every row is either complete or missing. A new layout is a row of LAYOUTS.
 */
import { readSync, writeSync } from "node:fs";
import { type FileHandle, open } from "node:fs/promises";

/** NumPy's format 1.0 pads its header to a multiple of 64; one size for all headers keeps row offsets simple. */
const NPY_HEADER_BYTES = 128;

const LAYOUTS = {
  "npy-f32": { width: 4, header: (rows: number, dimensions: number) => npyHeader("<f4", rows, dimensions) },
  "npy-f16": { width: 2, header: (rows: number, dimensions: number) => npyHeader("<f2", rows, dimensions) },
  f32: { width: 4, header: () => new Uint8Array() },
} as const;

export type Layout = keyof typeof LAYOUTS;

export interface VectorFile {
  readonly rows: number;
  readonly dimensions: number;
  /** Rows in ascending order, each with its vector. */
  write(rows: readonly number[], vectors: readonly Float32Array[]): Promise<void>;
  /** The vectors of consecutive rows. */
  read(row: number, count: number): Promise<Float32Array>;
  /** Gives a row the vector of another row. */
  copy(from: number, to: number): void;
  /** Marks a row as having no vector: NaN in each dimension. */
  clear(row: number): void;
  /** Resolves once everything that was written is on the disk. */
  sync(): Promise<void>;
  close(): Promise<void>;
}

export async function openVectorFile(
  path: string,
  layout: Layout,
  { rows, dimensions }: { readonly rows: number; readonly dimensions: number },
): Promise<VectorFile> {
  const { width, header: headerOf } = LAYOUTS[layout];
  const header = headerOf(rows, dimensions);
  const rowBytes = width * dimensions;
  // Mode "a" would write at the end whatever the offset; "w" would delete what an earlier run has paid for.
  const file: FileHandle = await open(path, "r+").catch(() => open(path, "wx+"));
  await file.write(header, 0, header.length, 0);
  await file.truncate(header.length + rows * rowBytes);
  const offsetOf = (row: number) => header.length + row * rowBytes;
  const bytesOf = (vectors: readonly Float32Array[]): Uint8Array => {
    const values =
      width === 2
        ? new Float16Array(vectors.length * dimensions)
        : new Float32Array(vectors.length * dimensions);
    for (const [place, vector] of vectors.entries()) values.set(vector, place * dimensions);
    return new Uint8Array(values.buffer);
  };
  const one = new Uint8Array(rowBytes);
  const none = bytesOf([new Float32Array(dimensions).fill(Number.NaN)]);
  return {
    rows,
    dimensions,
    async write(numbers, vectors) {
      // Consecutive rows are written at once: nearly always the whole chunk.
      for (let from = 0; from < numbers.length; ) {
        const first = numbers[from] ?? 0;
        let end = from + 1;
        while (end < numbers.length && numbers[end] === first + (end - from)) end += 1;
        const together = vectors.slice(from, end);
        const bytes = (width === 4 ? sideBySide(together) : undefined) ?? bytesOf(together);
        await file.write(bytes, 0, bytes.length, offsetOf(first));
        from = end;
      }
    },
    async read(row, count) {
      const bytes = new Uint8Array(count * rowBytes);
      await file.read(bytes, 0, bytes.length, offsetOf(row));
      return width === 2 ? Float32Array.from(new Float16Array(bytes.buffer)) : new Float32Array(bytes.buffer);
    },
    // Synchronous, because most of it is in the page cache: with promises, millions of copies would take minutes.
    copy(from, to) {
      readSync(file.fd, one, 0, rowBytes, offsetOf(from));
      writeSync(file.fd, one, 0, rowBytes, offsetOf(to));
    },
    clear(row) {
      writeSync(file.fd, none, 0, rowBytes, offsetOf(row));
    },
    sync: () => file.datasync(),
    close: () => file.close(),
  };
}

/** The memory of the vectors if they are adjacent in it, as those of one reply are: they need not be copied. */
function sideBySide(vectors: readonly Float32Array[]): Uint8Array | undefined {
  const [first] = vectors;
  if (first === undefined) return undefined;
  let end = first.byteOffset;
  for (const { buffer, byteOffset, byteLength } of vectors) {
    if (buffer !== first.buffer || byteOffset !== end) return undefined;
    end += byteLength;
  }
  return new Uint8Array(first.buffer, first.byteOffset, end - first.byteOffset);
}

/** https://numpy.org/doc/stable/reference/generated/numpy.lib.format.html, version 1.0. */
function npyHeader(type: "<f4" | "<f2", rows: number, dimensions: number): Uint8Array {
  const words = `{'descr': '${type}', 'fortran_order': False, 'shape': (${rows}, ${dimensions}), }`;
  const padded = `${words.padEnd(NPY_HEADER_BYTES - 11)}\n`;
  const header = new Uint8Array(NPY_HEADER_BYTES);
  header.set([0x93, 0x4e, 0x55, 0x4d, 0x50, 0x59, 1, 0, padded.length, 0]);
  header.set(new TextEncoder().encode(padded), 10);
  return header;
}
