/**
 * What an embedding space is known by: its vectors of the probe texts, and who gave them. A new thing to know of one is a member here,
 * a column of src/spaces/fingerprints.ts, and a key of src/config/carried-fingerprints.ts where it is to be carried.
 */
import type { Measurement } from "./probes";

export interface Fingerprint {
  readonly space: string;
  readonly vectors: Measurement;
  readonly dimensions: number;
  /** Who gave it. */
  readonly provider: string;
  readonly model: string;
  readonly measuredAt: number;
  /** Of an id that a caller chose: when a request for it was last answered, 0 while none was. Null: the routing file's own, and kept. */
  readonly paidAt: number | null;
  /** false: provisional. A later route of a model gave it, and no other has agreed yet. */
  readonly confirmed: boolean;
  /** Left out: the database's. carried: the operator's file. inside: of the model inside, which every gateway has. */
  readonly source?: "carried" | "inside";
}
