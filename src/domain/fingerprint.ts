/**
 * What identifies an embedding space: its vectors of the probe texts, and their source. A new member here also needs
 * a column of src/spaces/fingerprints.ts, and a key of src/config/carried-fingerprints.ts if it is exported.
 */
import type { Measurement } from "./probes";

export interface Fingerprint {
  readonly space: string;
  readonly vectors: Measurement;
  readonly dimensions: number;
  /** The provider and model that it was measured at. */
  readonly provider: string;
  readonly model: string;
  readonly measuredAt: number;
  /** For a caller-chosen id: when a request for it was last answered, 0 if never. null: from the routing file, and kept. */
  readonly paidAt: number | null;
  /** false: provisional. It came from a later route of a model, and no other has agreed yet. */
  readonly confirmed: boolean;
  /** When a route last left the space, which ends what was cached before; left out: never. */
  readonly driftedAt?: number;
  /** Left out: from the database. carried: from the operator's file. inside: of the built-in model, which every gateway has. */
  readonly source?: "carried" | "inside";
}
