/**
 * The circuit breaker of a shared server: who asks it in vain is kept waiting a few times, and then nobody is, until it answers again. Unlike
 * a provider's (src/upstream/breaker.ts) no request tries it out: the gateway can do without it, so it asks by itself, once a second.
 * How much a failure weighs is here; what counts as one is src/valkey/link.ts's.
 */
import type { Outside } from "../domain/outside";

/** A failure weighs as much as ten good answers: five in a row open it, and so does a server that is too slow every other time. */
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
  /** Asks the server. @returns why not; undefined where it answered */
  readonly probe: () => Promise<string | undefined>;
  /** Told once for each change; the reason is given where it opened. */
  readonly changed: (reason: string | undefined) => void;
}

/** It begins open: until the first probe has been answered nobody waits for a server that may not be there. */
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
    // Gateways that lost it together must not all come back together.
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
