/**
 * The first reading of a job's input, before anything is sent: how many rows there are, which are equal, which have no text, how much text there
 * is, and a digest of all of it, by which a later run recognises the same input.
 */
import { createCollecting } from "../machine/collecting";
import { WrongUsage } from "../terminal/wrong-usage";
import { openDuplicates } from "./duplicates";
import { bytesIn, type Unusable } from "./rows";
import { rowsOf, type Source, unitOf } from "./sources";

export interface Survey {
  readonly rows: number;
  /** Rows with a text that no earlier row has: these will be sent. */
  readonly texts: number;
  readonly duplicates: number;
  readonly unusable: number;
  /** UTF-8 bytes of the texts that will be sent; duplicates count once. */
  readonly bytes: number;
  /** For each row the first row with the same text; undefined if no two are equal. */
  readonly firstOf: Uint32Array | undefined;
  /** SHA-256 over all rows, in hexadecimal. */
  readonly digest: string;
  /** A sample of the texts from the whole input. */
  readonly sample: readonly string[];
  /** Where a row comes from. */
  placeOf(row: number): Place;
}

/** The position of a row in the input files. */
export interface Place {
  readonly file: string;
  /** Starts at 1. */
  readonly line?: number;
  readonly record?: number;
}

const SAMPLE_MAX = 2_048;
const ROWS_MAX = 2 ** 32 - 1;

/** @param tell called with each row that has no text */
export async function survey(
  sources: readonly Source[],
  field: string,
  scratch: string,
  tell: (row: number, place: Place, fault: Unusable) => void,
): Promise<Survey> {
  const duplicates = await openDuplicates(scratch);
  const digest = new Bun.CryptoHasher("sha256");
  const hash = new Uint8Array(32);
  const hashes = new Uint8Array(32 * 1_024);
  let hashed = 0;
  const starts: number[] = [];
  const sampling = createSampling();
  let row = 0;
  let unusable = 0;
  let bytes = 0;
  const collect = createCollecting();
  const addToDigest = () => {
    hashes.set(hash, hashed);
    hashed += hash.length;
    if (hashed < hashes.length) return;
    digest.update(hashes);
    hashed = 0;
  };
  function placeOf(wanted: number): Place {
    const at = starts.findLastIndex((start) => start <= wanted);
    const source = sources[at];
    if (source === undefined) return { file: "" };
    return { file: source.name, [unitOf(source)]: wanted - (starts[at] ?? 0) + 1 };
  }
  try {
    for (const source of sources) {
      starts.push(row);
      for await (const batch of rowsOf(source, field)) {
        for (const one of batch) {
          if (typeof one === "string") {
            Bun.SHA256.hash(one, hash);
            const written = duplicates.add(hash, row);
            if (written) await written;
            bytes += Buffer.byteLength(one);
            sampling.see(one);
          } else {
            Bun.SHA256.hash(`\0${one.reason}`, hash);
            unusable += 1;
            tell(row, placeOf(row), one);
          }
          addToDigest();
          row += 1;
        }
        collect(bytesIn(batch));
      }
      if (row > ROWS_MAX) throw new WrongUsage(`More than ${ROWS_MAX} rows are too many for one job.`);
    }
    digest.update(hashes.subarray(0, hashed));
    const firstOf = await duplicates.find(row);
    const again = firstOf === undefined ? 0 : countOf(firstOf);
    const usable = row - unusable;
    return {
      rows: row,
      texts: usable - again,
      duplicates: again,
      unusable,
      bytes: usable === 0 ? 0 : Math.round((bytes * (usable - again)) / usable),
      firstOf,
      digest: digest.digest("hex"),
      sample: sampling.taken(),
      placeOf,
    };
  } finally {
    await duplicates.close();
  }
}

function countOf(firstOf: Uint32Array): number {
  let count = 0;
  for (let row = 0; row < firstOf.length; row++) if (firstOf[row] !== row) count += 1;
  return count;
}

/** Takes every n-th text, so that the sample covers the whole input and is the same for the same input. */
function createSampling(): { see(text: string): void; taken(): readonly string[] } {
  let taken: string[] = [];
  let every = 1;
  let seen = 0;
  return {
    see(text) {
      // A copy: a line is a slice of the block that it was read from, and would keep that block in memory.
      if (seen % every === 0) taken.push(Buffer.from(text).toString());
      seen += 1;
      if (taken.length < SAMPLE_MAX) return;
      taken = taken.filter((_, place) => place % 2 === 0);
      every *= 2;
    },
    taken: () => taken,
  };
}
