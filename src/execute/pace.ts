/**
 * Adapts the batch size to slow servers: how many inputs a server manages within one attempt's time. A call that timed out is not sent again whole;
 * the next calls carry at most half of it, until the server turns out to be faster. The routing file's `max_inputs` stays the upper limit.
 */

import type { Health } from "../domain/health";
import type { Part, Target } from "../domain/request";
import type { Limits } from "./carve";
import { sharedBytesMax } from "./limits";
import type { Work } from "./work";

/** A few short texts take almost no time once the model is loaded; a larger batch may be slow because of its size. */
const FEW_PIECES = 8;

/** The limits of one call to the target: its configured limits, its pace, and which texts must be sent alone. */
export function limitsOf(target: Target): Limits {
  const { facts, provider, model } = target;
  const { inputsInTime = Number.POSITIVE_INFINITY } = provider.healthOf(model);
  const max_shared_bytes = sharedBytesMax(target);
  if (inputsInTime >= facts.max_inputs && max_shared_bytes === undefined) return facts;
  const { max_inputs, max_call_tokens, max_call_bytes } = facts;
  return {
    max_inputs: Math.min(max_inputs, inputsInTime),
    ...(max_call_tokens !== undefined && { max_call_tokens }),
    ...(max_call_bytes !== undefined && { max_call_bytes }),
    max_shared_bytes,
  };
}

export function noteTooSlow(health: Health, { pieces }: Part): void {
  if (pieces.length < 2) return;
  health.inputsInTime = Math.min(
    health.inputsInTime ?? Number.POSITIVE_INFINITY,
    Math.ceil(pieces.length / 2),
  );
}

/** If a call took a quarter of the time limit or less, twice as many inputs can be tried. */
export function notePace(health: Health, { pieces }: Part, tookMs: number, timeoutMs: number): void {
  const { inputsInTime } = health;
  if (inputsInTime === undefined || pieces.length < inputsInTime || tookMs * 4 > timeoutMs) return;
  health.inputsInTime = inputsInTime * 2;
}

/**
 * How long one call may take. A server that has never answered may be loading its model (40 s and more), and cancelling a call does not make it
 * load faster. If there is no other target, such a call gets all of the request's remaining time, once. A batch gets half of it: it may simply be
 * too large, and is then halved.
 */
export function attemptMs(
  { route, run, outside }: Pick<Work, "route" | "run" | "outside">,
  { provider, model }: Target,
  { pieces }: Part,
): number {
  const { timeoutMs } = provider;
  if (!provider.healthOf(model).mayBeLoading) return timeoutMs;
  const isAlone = route.targets.filter(({ mayServe }) => mayServe()).length <= 1;
  if (!isAlone) return timeoutMs;
  const leftMs = Math.max(0, run.endsAt - outside.monotonic());
  // Slightly more than the remaining time, so that the request's own deadline ends the call with its own error.
  return Math.max(timeoutMs, pieces.length <= FEW_PIECES ? leftMs + 1_000 : leftMs / 2);
}
