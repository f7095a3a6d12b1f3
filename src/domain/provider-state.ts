/**
 * A provider's current state, for the operator in /metrics. Types only: src/upstream/open.ts reports it.
 */
import type { Lane } from "./request";

export interface ProviderState {
  /** Its name in the routing file. */
  readonly provider: string;
  /** Models there whose circuit breaker is open, or half-open. */
  readonly breakersOpen: number;
  /** Calls that were sent and are not answered yet. */
  readonly callsInFlight: number;
  /** Calls that wait for a slot, by lane. */
  readonly waiting: Readonly<Record<Lane, number>>;
}
