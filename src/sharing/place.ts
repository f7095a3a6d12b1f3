/**
 * What a gateway shares with the other processes of its supervisor. Tests, and a gateway with one process, share nothing.
 * A new shared thing is a member here, with its value for a single process.
 */

import type { Memory } from "../cache/memory";
import { BY_ITSELF, type Together } from "../spaces/together";
import type { Region } from "./region";

export interface Place {
  /** Its name in the ledger's rows; null: no other process writes there. */
  readonly process: string | null;
  /** Whether it is the first to open the database, so that every row in flight there belongs to a dead process. */
  readonly begins: boolean;
  /** Whether earlier processes required credentials: then it must not run in open mode. */
  readonly asks: boolean;
  /** undefined: its own memory. */
  readonly region: Region | undefined;
  /** Like `Outside.monotonic`, but the same for all that share the region. undefined: that of the outside world. */
  readonly clock: (() => number) | undefined;
  /** The cache's memory. undefined: its own. */
  readonly memory: Memory | undefined;
  /** The processes with which it shares measurements, for each routing file that it serves. */
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
