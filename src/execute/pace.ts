/**
 * How many inputs a slow server manages in one attempt's time: a call that was not answered in it is not sent again whole, and the next ones hold
 * no more than half of it, until it is seen to be faster. What the routing file allows in a call stays the most (`max_inputs`).
 */

import type { Health } from "../domain/health";
import type { Part, Target } from "../domain/request";
import type { Limits } from "./carve";
import { sharedBytesMax } from "./limits";
import type { Work } from "./work";

/** Some texts of a query's size are done in no time, once the model is loaded; a batch may be slow for its own sake. */
const FEW_PIECES = 8;

/** What goes to the target in one call: its limits, its pace, and what must go alone. */
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

/** Answered in a quarter of the time, twice as many can be tried. */
export function notePace(health: Health, { pieces }: Part, tookMs: number, timeoutMs: number): void {
  const { inputsInTime } = health;
  if (inputsInTime === undefined || pieces.length < inputsInTime || tookMs * 4 > timeoutMs) return;
  health.inputsInTime = inputsInTime * 2;
}

/**
 * How long one call may take. A server that has never answered may be loading its model (40 s and more), and a call that is cut and begun
 * again loads it no sooner: with nobody else to ask it is waited for as long as the request has, once. A batch gets half of that, since it may
 * be too large instead, and then goes on in halves.
 */
export function attemptMs(
  { route, run, outside }: Pick<Work, "route" | "run" | "outside">,
  { provider, model }: Target,
  { pieces }: Part,
): number {
  const { timeoutMs } = provider;
  const isAlone = route.targets.filter(({ mayServe }) => mayServe()).length <= 1;
  if (!isAlone || !provider.healthOf(model).mayBeLoading) return timeoutMs;
  const leftMs = Math.max(0, run.endsAt - outside.monotonic());
  // A little more than all: then the request's own deadline ends it, in its own words.
  return Math.max(timeoutMs, pieces.length <= FEW_PIECES ? leftMs + 1_000 : leftMs / 2);
}
