/**
 * A request's own time: from its arrival to its deadline, or until its client has gone.
 * What else every step of one request shares is a member of `Run` (src/domain.ts), made here.
 */
import type { Run } from "./domain";
import { GatewayError } from "./errors";
import type { Outside } from "./outside";

export interface Begun {
  readonly run: Run;
  /** Frees its timer. */
  readonly finish: () => void;
}

export interface Limits {
  readonly outside: Pick<Outside, "sleep" | "now" | "monotonic">;
  readonly deadlineMs: number;
  readonly attemptsMax: number;
}

/** Gone by itself, or cut off by the gateway's own end, which says so. */
function reasonOf({ reason }: AbortSignal): GatewayError {
  if (reason instanceof GatewayError) return reason;
  return new GatewayError("cancelled", "The client closed the connection.");
}

export function startRun(
  arrival: { readonly requestId: string; readonly clientGone: AbortSignal },
  { outside, deadlineMs, attemptsMax }: Limits,
): Begun {
  const startedMonotonic = outside.monotonic();
  const over = new AbortController();
  const timer = new AbortController();
  outside.sleep(deadlineMs, timer.signal).then(
    () => over.abort(new GatewayError("deadline", `The request was not done within ${deadlineMs} ms.`)),
    () => undefined,
  );
  const gone = () => over.abort(reasonOf(arrival.clientGone));
  if (arrival.clientGone.aborted) gone();
  else arrival.clientGone.addEventListener("abort", gone, { once: true });
  return {
    run: {
      requestId: arrival.requestId,
      startedAt: outside.now(),
      startedMonotonic,
      endsAt: startedMonotonic + deadlineMs,
      signal: over.signal,
      attemptsMax,
      tally: { tokens: 0, providers: new Set() },
    },
    finish() {
      timer.abort("done");
      arrival.clientGone.removeEventListener("abort", gone);
    },
  };
}
