/**
 * An answer's body before it is printed: texts, and entries with a vector each. The APIs build scripts; print.ts prints them.
 * A large script is printed page by page, so that its whole text is never in memory.
 */

export interface Script {
  readonly encoding: "float" | "base64";
  /** In order. */
  readonly passages: readonly (string | Entries)[];
}

/** Entries of a JSON array, with commas in between. */
export interface Entries {
  readonly count: number;
  /** Before the entry's vector. Left out: nothing. */
  readonly before?: (place: number) => string;
  /** Left out: there is nothing besides the texts before and after. */
  readonly vector?: (place: number) => Float32Array | undefined;
  readonly after?: (place: number) => string;
}

/** A part of a script that is printed at once. */
export interface Page {
  readonly encoding: "float" | "base64";
  readonly vectors: readonly Float32Array[];
  /** The texts before each vector, and after the last one: one more than there are vectors. */
  readonly words: readonly string[];
}

/** Bytes of a typical number with its comma: random numbers of a vector of 1536 need 12.5. */
export const NUMBER_BYTES = { float: 13, base64: 16 / 3 } as const;

/** About a millisecond of printing, and small compared with the rest of a large request. */
export const PAGE_BYTES = 1_000_000;

/** The script's pages in order, at least one. A vector is read once, when its page is due. */
export function* pagesOf({ encoding, passages }: Script): Generator<Page, undefined> {
  let vectors: Float32Array[] = [];
  let words: string[] = [];
  let said = "";
  let bytes = 0;
  const page = (): Page => ({ encoding, vectors, words: [...words, said] });
  for (const passage of passages) {
    if (typeof passage === "string") {
      said += passage;
      continue;
    }
    for (let place = 0; place < passage.count; place++) {
      if (bytes + said.length > PAGE_BYTES) {
        yield page();
        vectors = [];
        words = [];
        said = "";
        bytes = 0;
      }
      if (place > 0) said += ",";
      said += passage.before?.(place) ?? "";
      const vector = passage.vector?.(place);
      if (vector) {
        vectors.push(vector);
        words.push(said);
        bytes += said.length + vector.length * NUMBER_BYTES[encoding];
        said = "";
      }
      said += passage.after?.(place) ?? "";
    }
  }
  yield page();
}
