/**
 * Which errors may be caused by one input among several: the provider is up but refuses this call because of what is in it.
 * A new sign of a provider is a case of `isAboutContent`; poison.ts finds the input.
 */

import type { GatewayError } from "../domain/errors";
import type { Part, Plan } from "../domain/request";

/** Status codes for a call that is refused because of its content; undefined where a plugin gives no status. */
const REFUSALS: readonly (number | undefined)[] = [undefined, 400, 422];

export function isAboutContent({ kind, field, upstreamStatus, isUnsound }: GatewayError): boolean {
  if (kind === "invalid") return field === undefined && REFUSALS.includes(upstreamStatus);
  if (kind === "input_too_long" || kind === "cut_silently" || kind === "no_vector" || isUnsound) return true;
  // Some servers answer 500 for a text whose vector is NaN; 502, 503 and 504 are outages.
  return kind === "unavailable" && upstreamStatus === 500;
}

/** The provider counts tokens or bytes differently from us: half of the part may fit. */
export function isTooMuch({ kind, upstreamStatus }: GatewayError, part: Part, plan: Plan): boolean {
  const tooMuch = kind === "too_many_tokens" || (kind === "invalid" && upstreamStatus === 413);
  return tooMuch && part.pieces.length > 1 && !plan.indivisible;
}

/** Whether one of the part's inputs may be at fault, and can be told apart from the request's others. */
export function isSuspect(error: GatewayError, part: Part, plan: Plan): boolean {
  if (plan.indivisible || plan.pieces.length === 1 || !isAboutContent(error)) return false;
  // If all vectors of several texts are invalid, the provider is at fault.
  if (error.isUnsound) return error.input !== undefined || part.pieces.length === 1;
  // If the provider names the input, no search is needed.
  return error.input === undefined;
}
