/** What the output formats are written from, once every row is done. Types only. */
import type { Made } from "./journal";
import type { RowSet } from "./row-set";
import type { VectorFile } from "./vector-file";

export interface Finished {
  readonly file: VectorFile;
  /** Rows without a vector. */
  readonly without: RowSet;
  readonly made: Made;
  readonly model: string;
  /** Lets the event loop run, so that Ctrl-C works. */
  readonly turn: () => Promise<void>;
}
