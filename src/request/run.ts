/**
 * The time of a request: from its arrival to its deadline, or to an earlier end.
 * What else all steps of one request share is a member of `Run` (src/domain/request.ts), made here.
 */

import type { Ending } from "../domain/ending";
import { GatewayError } from "../domain/errors";
import type { Outside } from "../domain/outside";
import type { Run } from "../domain/request";
import type { RequestTrace } from "../domain/trace";

export interface Begun {
  readonly run: Run;
  /** Frees the deadline's timer. */
  readonly finish: () => void;
}

export interface Starting {
  readonly requestId: string;
  readonly ending: Ending;
  readonly trace?: RequestTrace | undefined;
  readonly line?: { readonly batch: string } | undefined;
}

export interface Limits {
  readonly outside: Pick<Outside, "alarm" | "now" | "monotonic">;
  readonly deadlineMs: number;
  readonly attemptsMax: number;
}

/** @param late makes the error for a request whose deadline has passed */
export function startRun(
  { requestId, ending, trace, line }: Starting,
  { outside, deadlineMs, attemptsMax }: Limits,
  late: () => GatewayError,
): Begun {
  const startedMonotonic = outside.monotonic();
  return {
    run: {
      requestId,
      startedAt: outside.now(),
      startedMonotonic,
      endsAt: startedMonotonic + deadlineMs,
      signal: ending,
      attemptsMax,
      trace,
      tally: { tokens: 0, tokensAbandoned: 0, providers: new Set(), byProvider: new Map(), calls: [] },
      batch: line?.batch,
    },
    finish: outside.alarm(deadlineMs, () => ending.abort(late())),
  };
}

/** A client that sends one byte per second occupies its place for this long and no longer. */
export function late(deadlineMs: number, isRead: boolean): GatewayError {
  return isRead
    ? new GatewayError(
        "deadline",
        `The request took longer than its deadline of ${deadlineMs} ms (server.deadline_ms).`,
      )
    : new GatewayError("slow_body", `The request body did not arrive within ${deadlineMs} ms.`);
}
