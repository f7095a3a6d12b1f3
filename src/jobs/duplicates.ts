/**
 * Finds rows with the same text as an earlier row, for any number of rows in bounded memory: hashes are written to a scratch file in partitions by
 * their first bits, and each partition is then searched separately. A text is identified by 128 bits of its SHA-256.
 */
import { type FileHandle, open, rm } from "node:fs/promises";
import { createCollecting } from "../machine/collecting";

const PARTS = 64;
const HASH_BYTES = 16;
/** The hash, then the row's number. */
const RECORD_BYTES = HASH_BYTES + 4;
/** Records of a partition that are kept in memory before they are written. */
const KEPT = 2_048;

export interface Duplicates {
  /** @param hash the first 16 bytes of the text's hash; it is copied */
  add(hash: Uint8Array, row: number): Promise<void> | undefined;
  /**
   * For each row the first row with the same text; undefined if no two rows are equal.
   * @param rows the total number of rows
   */
  find(rows: number): Promise<Uint32Array | undefined>;
  close(): Promise<void>;
}

interface Part {
  readonly kept: Uint8Array;
  /** A view of the bytes of `kept`. */
  readonly view: DataView;
  count: number;
  /** Where the partition's records are in the file. */
  readonly runs: { readonly at: number; readonly count: number }[];
}

/** @param path the scratch file, removed by `close` */
export async function openDuplicates(path: string): Promise<Duplicates> {
  let file: FileHandle | undefined;
  let end = 0;
  const parts: Part[] = Array.from({ length: PARTS }, () => {
    const kept = new Uint8Array(KEPT * RECORD_BYTES);
    return { kept, view: new DataView(kept.buffer), count: 0, runs: [] };
  });

  async function spill(part: Part): Promise<void> {
    file ??= await open(path, "w+", 0o600);
    const bytes = part.count * RECORD_BYTES;
    await file.write(part.kept, 0, bytes, end);
    part.runs.push({ at: end, count: part.count });
    part.count = 0;
    end += bytes;
  }

  async function recordsOf(part: Part): Promise<Uint8Array> {
    const inFile = part.runs.reduce((sum, { count }) => sum + count, 0);
    const records = new Uint8Array((inFile + part.count) * RECORD_BYTES);
    let at = 0;
    for (const run of part.runs) {
      await file?.read(records, at, run.count * RECORD_BYTES, run.at);
      at += run.count * RECORD_BYTES;
    }
    records.set(part.kept.subarray(0, part.count * RECORD_BYTES), at);
    return records;
  }

  return {
    add(hash, row) {
      const part = parts[(hash[0] ?? 0) % PARTS];
      if (part === undefined) return undefined;
      const at = part.count * RECORD_BYTES;
      // Byte by byte: a view of the hash would be one object per text.
      for (let i = 0; i < HASH_BYTES; i++) part.kept[at + i] = hash[i] ?? 0;
      part.view.setUint32(at + HASH_BYTES, row, true);
      part.count += 1;
      return part.count === KEPT ? spill(part) : undefined;
    },
    async find(rows) {
      let firstOf: Uint32Array | undefined;
      const collect = createCollecting();
      for (const part of parts) {
        const records = await recordsOf(part);
        for (const [row, first] of pairsOf(records)) {
          firstOf ??= new Uint32Array(rows).map((_, own) => own);
          firstOf[row] = first;
        }
        collect(2 * records.length);
      }
      return firstOf;
    },
    async close() {
      await file?.close();
      await rm(path, { force: true });
    },
  };
}

/** Records are in the order of their rows, so the table holds the first row of each text. */
function* pairsOf(records: Uint8Array): Generator<readonly [row: number, first: number]> {
  const count = records.length / RECORD_BYTES;
  const view = new DataView(records.buffer);
  const size = 2 ** Math.ceil(Math.log2(Math.max(2, count * 2)));
  /** The index of the record in each slot, plus one. */
  const table = new Uint32Array(size);
  for (let record = 0; record < count; record++) {
    const at = record * RECORD_BYTES;
    let place = view.getUint32(at + 4, true) & (size - 1);
    for (;;) {
      const other = table[place] ?? 0;
      if (other === 0) {
        table[place] = record + 1;
        break;
      }
      const otherAt = (other - 1) * RECORD_BYTES;
      if (isSame(view, at, otherAt)) {
        yield [view.getUint32(at + HASH_BYTES, true), view.getUint32(otherAt + HASH_BYTES, true)];
        break;
      }
      place = (place + 1) & (size - 1);
    }
  }
}

function isSame(view: DataView, one: number, other: number): boolean {
  return (
    view.getBigUint64(one, true) === view.getBigUint64(other, true) &&
    view.getBigUint64(one + 8, true) === view.getBigUint64(other + 8, true)
  );
}
