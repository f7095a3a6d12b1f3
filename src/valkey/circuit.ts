/**
 * The circuit breaker of a shared server: after a few timeouts no request waits for it, until it answers again. Unlike for
 * a provider's (src/upstream/breaker.ts), no request is the trial: the gateway can do without the server, so it probes it once a second.
 * The weight of a failure is here; src/valkey/link.ts decides what counts as one.
 */
import type { Outside } from "../domain/outside";

/** A failure weighs as much as ten good answers: five in a row open it, and so does a server that is too slow every second time. */
const FAILURE = 10;
const OPENS_AT = 5 * FAILURE;
const PROBE_EVERY_MS = 1_000;

export interface Circuit {
  isClosed(): boolean;
  good(): void;
  failed(reason: string): void;
  close(): void;
}

export interface CircuitParts {
  readonly outside: Pick<Outside, "alarm" | "random">;
  /** Probes the server. @returns why it failed; undefined if it answered */
  readonly probe: () => Promise<string | undefined>;
  /** Called once for each change; with the reason if it opened. */
  readonly changed: (reason: string | undefined) => void;
}

/** It starts open: until the first probe is answered, no request waits for a server that may be down. */
export function createCircuit({
  outside,
  probe,
  changed,
}: CircuitParts): Circuit & { first(): Promise<void> } {
  let isClosed = false;
  let isToldOpen = false;
  let weight = 0;
  let isOver = false;
  let callOff = () => {};

  function probeLater(): void {
    // Jitter: gateways that lost it at the same time must not retry at the same time.
    callOff = outside.alarm(PROBE_EVERY_MS * (0.8 + 0.4 * outside.random()), () => void probeNow());
  }

  async function probeNow(): Promise<void> {
    const reason = await probe();
    if (isOver) return;
    if (reason !== undefined) {
      tellOpen(reason);
      return probeLater();
    }
    weight = 0;
    isClosed = true;
    if (isToldOpen) changed(undefined);
    isToldOpen = false;
  }

  function tellOpen(reason: string): void {
    if (isToldOpen) return;
    isToldOpen = true;
    changed(reason);
  }

  return {
    first: probeNow,
    isClosed: () => isClosed,
    good() {
      if (weight > 0) weight -= 1;
    },
    failed(reason) {
      if (!isClosed || isOver) return;
      weight += FAILURE;
      if (weight < OPENS_AT) return;
      isClosed = false;
      tellOpen(reason);
      probeLater();
    },
    close() {
      isOver = true;
      isClosed = false;
      callOff();
    },
  };
}
