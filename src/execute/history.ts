/**
 * The attempts for some pieces: at which targets, how often, with which errors, and when each target may be retried.
 * The history is kept when the pieces are divided again for another target, so that no piece exceeds its allowed number of calls.
 */

import type { GatewayError } from "../domain/errors";
import type { Target } from "../domain/request";
import { isAboutContent } from "./poison-signs";

export interface History {
  /** Over all targets together. */
  readonly calls: number;
  readonly asked: ReadonlyMap<Target, Asked>;
  /** The caller gets this error if no later attempt succeeds. */
  readonly failure: { readonly target: Target; readonly error: GatewayError } | undefined;
}

export interface Asked {
  readonly calls: number;
  readonly error: GatewayError;
  /** On the monotonic clock. */
  readonly askAgainAt: number;
}

interface Failed {
  /** On the monotonic clock. */
  readonly now: number;
  readonly random: number;
  /** How many calls failed: more than one if they were a cut test's (cut-test-calls.ts). */
  readonly failures: number;
}

export const UNASKED: History = { calls: 0, asked: new Map(), failure: undefined };

export function afterFailure(
  { calls, asked, failure }: History,
  target: Target,
  error: GatewayError,
  { now, random, failures }: Failed,
): History {
  const callsThere = (asked.get(target)?.calls ?? 0) + failures;
  const askAgainAt = now + backoffMs(callsThere, error.retryAfterMs, random);
  return {
    calls: calls + failures,
    asked: new Map(asked).set(target, { calls: callsThere, error, askAgainAt }),
    failure: staysFailure(failure, target, error) ? failure : { target, error },
  };
}

/** If a second route is down, that says less about the request than the first route's error. Of one route, its last error counts. */
function staysFailure(failure: History["failure"], target: Target, error: GatewayError): boolean {
  return failure !== undefined && failure.target !== target && telling(failure.error) > telling(error);
}

function telling(error: GatewayError): number {
  if (isAboutContent(error)) return 2;
  return error.meaning.retry ? 1 : 0;
}

/** Exponential backoff with jitter, never below a quarter of the full pause. A provider's Retry-After takes precedence. */
export function backoffMs(calls: number, retryAfterMs: number | undefined, random: number): number {
  const exponential = Math.min(8_000, 250 * 2 ** (calls - 1));
  return Math.max(retryAfterMs ?? 0, exponential * (0.25 + 0.75 * random));
}
