/**
 * How many inputs a slow server does in one attempt's time: a call that was not answered in it is not sent again whole, and the next ones hold
 * no more than half of it, until it is seen to be faster. What the routing file allows in a call stays the most (`max_inputs`).
 */

import type { ModelFacts } from "../domain/facts";
import type { Health } from "../domain/health";
import type { Part, Target } from "../domain/request";

/** What goes to the target in one call: its limits, and its pace. */
export function limitsOf({ facts, provider, model }: Target): ModelFacts {
  const { inputsInTime } = provider.healthOf(model);
  return inputsInTime === undefined || inputsInTime >= facts.max_inputs
    ? facts
    : { ...facts, max_inputs: inputsInTime };
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
