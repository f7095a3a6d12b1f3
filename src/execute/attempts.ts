/**
 * Calls for one part until one succeeds or no further call can help: fallback to another target at once, or retry of the same target after a pause.
 * src/domain/errors.ts says what each failure means; choose.ts picks the next target.
 */

import type { GatewayError } from "../domain/errors";
import type { Answered, Part, Target } from "../domain/request";
import { unlessAborted } from "../domain/until";
import { ask, type Failed } from "./ask";
import { carve } from "./carve";
import { type Chosen, choose } from "./choose";
import { canFit } from "./fit-anew";
import { hedged, isHedged } from "./hedge";
import { afterFailure, type History, UNASKED } from "./history";
import { limitsOf } from "./pace";
import { isAboutContent, isSuspect, isTooMuch } from "./poison-signs";
import type { Work } from "./work";

/** How long to wait for another request's call to a provider that was down. */
const PATIENCE_MS = 1_000;

export type Outcome =
  | { readonly kind: "answered"; readonly answered: Answered; readonly target: Target }
  /** The next target takes fewer inputs per call. */
  | {
      readonly kind: "carved anew";
      readonly parts: readonly Part[];
      readonly history: History;
      /** Send the parts one after another. */
      readonly inTurn: boolean;
    }
  | { readonly kind: "failed"; readonly error: GatewayError; readonly target: Target };

/**
 * @param before earlier attempts for these pieces
 * @param first the target of the first call; undefined: not chosen yet
 * @throws the signal's reason
 */
export async function attempts(
  work: Work,
  part: Part,
  before: History = UNASKED,
  first?: Chosen,
): Promise<Outcome> {
  let history = before;
  let chosen = first ?? (await nextTarget(work, history));
  for (;;) {
    if ("error" in chosen) {
      const { error } = chosen;
      return { kind: "failed", error, target: history.failure?.target ?? work.route.targets[0] };
    }
    const isWhole = work.plan.indivisible || part.pieces.length === 1;
    const parts = isWhole ? undefined : carve(part.pieces, limitsOf(chosen.target));
    if (parts && parts.length > 1) {
      // If the target timed out on the whole part, do not send it all the smaller parts at once: the load would be the same.
      const inTurn = history.asked.get(chosen.target)?.error.kind === "timeout";
      return { kind: "carved anew", parts, history, inTurn };
    }
    let final: GatewayError | undefined;
    const noteFailure: Failed = (target, error, failures = 1) => {
      history = afterFailure(history, target, error, {
        now: work.outside.monotonic(),
        random: work.outside.random(),
        failures,
      });
      final = finalError(work, part, history, error);
      if (final === undefined) logFailure(work, target, history, error);
      // A place at the concurrency gate becomes free now. If the whole request has failed, its other calls must not take it.
      else if (!isLeftToDivide(work, part, final)) work.fail(final);
    };
    const call = isHedged(work, history) ? hedged : ask;
    const answered = await call(work, chosen, part, work.signal, noteFailure);
    if (answered) return { kind: "answered", answered, target: chosen.target };
    chosen = final ? { error: final } : await nextTarget(work, history);
  }
}

/** A request of one piece has no other calls except a hedged one. */
function isLeftToDivide(work: Work, part: Part, error: GatewayError): boolean {
  const { plan } = work;
  if (plan.pieces.length === 1 || isTooMuch(error, part, plan)) return true;
  return isSuspect(error, part, plan) || canFit(error, work);
}

/** The error for the caller when no further call can help. */
function finalError(work: Work, part: Part, history: History, error: GatewayError): GatewayError | undefined {
  if (!error.meaning.fallBack) return error;
  // During a search the part is divided and sent again anyway. A single input is blamed only after as many calls as other parts get.
  if (work.isSearch && part.pieces.length > 1 && isAboutContent(error)) return error;
  const choice = choose(work, history);
  return "error" in choice ? choice.error : undefined;
}

/** @returns the next target, after the pause that it needs */
export async function nextTarget(
  work: Work,
  history: History,
): Promise<Chosen | { readonly error: GatewayError }> {
  for (;;) {
    const choice = choose(work, history);
    if ("target" in choice) {
      if (choice.waitMs > 0) await work.outside.sleep(choice.waitMs, work.signal);
      return choice;
    }
    if (!("trial" in choice)) return choice;
    const { trial, error } = choice;
    if (error === undefined) await unlessAborted(work.signal, trial);
    else if (!(await isOverSoon(work, trial))) return { error };
  }
}

/** A recovered provider answers soon, so a request that arrives just then is not refused. If the provider is still down, each request waits only once. */
async function isOverSoon({ outside, signal, patience }: Work, trial: Promise<void>): Promise<boolean> {
  const now = outside.monotonic();
  patience.endsAt ??= now + PATIENCE_MS;
  if (patience.endsAt <= now) return false;
  const { promise: late, resolve } = Promise.withResolvers<boolean>();
  const callOff = outside.alarm(patience.endsAt - now, () => resolve(false));
  try {
    return await unlessAborted(signal, Promise.race([late, trial.then(() => true)]));
  } finally {
    callOff();
  }
}

/** Logs a failed call that another call follows. The last failure is in the request's own line (src/door/failed.ts). */
function logFailure(
  { outside, run, route }: Work,
  { provider }: Target,
  { calls }: History,
  error: GatewayError,
): void {
  outside.log("warn", "upstream call failed: a retry or fallback follows", {
    request: run.requestId,
    model: route.id,
    provider: provider.name,
    attempt: calls,
    kind: error.kind,
    upstream_status: error.upstreamStatus,
    reason: error.inLog,
  });
}
