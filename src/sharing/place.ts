/**
 * What a gateway has in common with the others of its supervisor, as it is handed in. Tests, and a gateway that is one process, are alone.
 * A new thing that the copies share is a member here, with what it is for one alone.
 */

import type { Memory } from "../cache/memory";
import { BY_ITSELF, type Together } from "../spaces/together";
import type { Region } from "./region";

export interface Place {
  /** The name that its rows in the ledger have; null: nobody else writes there. */
  readonly process: string | null;
  /** Whether it is the first to open the database, so that every row under way there is a dead process's. */
  readonly begins: boolean;
  /** Whether those that served before it asked for credentials: then it must not be open. */
  readonly asks: boolean;
  /** Undefined: memory of its own. */
  readonly region: Region | undefined;
  /** As `Outside.monotonic`, but the same for all that share the region. Undefined: that of the world outside. */
  readonly clock: (() => number) | undefined;
  /** The cache's memory. Undefined: its own. */
  readonly memory: Memory | undefined;
  /** Whom its spaces are measured with, asked for each routing file that it serves by. */
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
