/**
 * A part's calls, until one succeeds or none can help: fallback at once, retry at the same target after a pause.
 * What a failure means is in src/domain/errors.ts; which target is next is choose.ts.
 */

import type { GatewayError } from "../domain/errors";
import type { Answered, Part, Target } from "../domain/request";
import { unlessAborted } from "../domain/until";
import { ask } from "./ask";
import { carve } from "./carve";
import { type Chosen, choose } from "./choose";
import { canFit } from "./fit-anew";
import { hedged, isHedged } from "./hedge";
import { afterFailure, type History, UNASKED } from "./history";
import { limitsOf } from "./pace";
import { isAboutContent, isSuspect, isTooMuch } from "./poison-signs";
import type { Work } from "./work";

/** How long another request's call to a provider that was down is waited for. */
const PATIENCE_MS = 1_000;

export type Outcome =
  | { readonly kind: "answered"; readonly answered: Answered; readonly target: Target }
  /** The target that is next takes less in a call. */
  | {
      readonly kind: "carved anew";
      readonly parts: readonly Part[];
      readonly history: History;
      /** One after the other. */
      readonly inTurn: boolean;
    }
  | { readonly kind: "failed"; readonly error: GatewayError; readonly target: Target };

/**
 * @param before what was tried already for these pieces
 * @param first where the first call goes; undefined: not chosen yet
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
    const parts = work.plan.indivisible ? [part] : carve(part.pieces, limitsOf(chosen.target));
    if (parts.length > 1) {
      // A server that was too slow for all of it is given no more work at once than it had.
      const inTurn = history.asked.get(chosen.target)?.error.kind === "timeout";
      return { kind: "carved anew", parts, history, inTurn };
    }
    let final: GatewayError | undefined;
    const noteFailure = (target: Target, error: GatewayError) => {
      history = afterFailure(history, target, error, {
        now: work.outside.monotonic(),
        random: work.outside.random(),
      });
      final = finalError(work, part, history, error);
      if (final === undefined) logFailure(work, target, history, error);
      // A place falls free now: none of the request's other calls must take it, when all of it has failed.
      else if (!isLeftToDivide(work, part, final)) work.fail(final);
    };
    const call = isHedged(work, history) ? hedged : ask;
    const answered = await call(work, chosen, part, work.signal, noteFailure);
    if (answered) return { kind: "answered", answered, target: chosen.target };
    chosen = final ? { error: final } : await nextTarget(work, history);
  }
}

/** A request of one piece has no other calls but the one that may be under way beside this. */
function isLeftToDivide(work: Work, part: Part, error: GatewayError): boolean {
  const { plan } = work;
  if (plan.pieces.length === 1 || isTooMuch(error, part, plan)) return true;
  return isSuspect(error, part, plan) || canFit(error, work);
}

/** The error that stands, when no further call would help. */
function finalError(work: Work, part: Part, history: History, error: GatewayError): GatewayError | undefined {
  if (!error.meaning.fallBack) return error;
  // It is sent again in smaller parts anyway. One input alone is accused once it was sent as often as other parts are.
  if (work.isSearch && part.pieces.length > 1 && isAboutContent(error)) return error;
  const choice = choose(work, history);
  return "error" in choice ? choice.error : undefined;
}

/** @returns the next target, once its time has come */
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

/** A provider that is back answers soon: a request that comes just then is not refused. If it is still down, each request waits only once. */
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

/** Of a call that another follows. What the last one failed for is in the request's own line (src/door/failed.ts). */
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
