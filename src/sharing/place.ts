/**
 * What a gateway shares with the other copies of its supervisor. Tests, and a gateway that is one process, are alone.
 * A new shared thing is a member here, with its value for a single process.
 */

import type { Memory } from "../cache/memory";
import { BY_ITSELF, type Together } from "../spaces/together";
import type { Region } from "./region";

export interface Place {
  /** Its name in the ledger's rows; null: no other process writes there. */
  readonly process: string | null;
  /** Whether it is the first to open the database, so that every row under way there is a dead process's. */
  readonly begins: boolean;
  /** Whether the copies before it asked for credentials: then it must not run in open mode. */
  readonly asks: boolean;
  /** Undefined: memory of its own. */
  readonly region: Region | undefined;
  /** As `Outside.monotonic`, but the same for all that share the region. Undefined: that of the world outside. */
  readonly clock: (() => number) | undefined;
  /** The cache's memory. Undefined: its own. */
  readonly memory: Memory | undefined;
  /** The copies that it measures spaces with, for each routing file that it serves. */
  readonly together: () => Together;
}

export const ALONE: Place = {
  process: null,
  begins: true,
  asks: false,
  region: undefined,
  clock: undefined,
  memory: undefined,
  together: () => BY_ITSELF,
};
