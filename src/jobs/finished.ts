/** What a format of OUT is written from, once every row is done. Types only. */
import type { Made } from "./journal";
import type { RowSet } from "./row-set";
import type { VectorFile } from "./vector-file";

export interface Finished {
  readonly file: VectorFile;
  /** Rows that have no vector. */
  readonly without: RowSet;
  readonly made: Made;
  readonly model: string;
  /** Lets the event loop have its turn, so that Ctrl-C is heard. */
  readonly turn: () => Promise<void>;
}
