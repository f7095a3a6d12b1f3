/**
 * Which errors may be the fault of one input among several: the provider is up, and cannot do what this call asks.
 * A provider's further way to say so is a case of `isAboutContent`; how the input is found is poison.ts.
 */

import type { GatewayError } from "../domain/errors";
import type { Part, Plan } from "../domain/request";

/** Statuses of a call that is refused for what it holds; none where a plugin says it otherwise. */
const REFUSALS: readonly (number | undefined)[] = [undefined, 400, 422];

export function isAboutContent({ kind, field, upstreamStatus, isUnsound }: GatewayError): boolean {
  if (kind === "invalid") return field === undefined && REFUSALS.includes(upstreamStatus);
  if (kind === "input_too_long" || kind === "cut_silently" || kind === "no_vector" || isUnsound) return true;
  // A text whose vector is not a number makes some servers answer 500; 502, 503 and 504 are outages.
  return kind === "unavailable" && upstreamStatus === 500;
}

/** The provider counts tokens or bytes otherwise than we do: half of it may pass. */
export function isTooMuch({ kind, upstreamStatus }: GatewayError, part: Part, plan: Plan): boolean {
  const tooMuch = kind === "too_many_tokens" || (kind === "invalid" && upstreamStatus === 413);
  return tooMuch && part.pieces.length > 1 && !plan.indivisible;
}

/** Whether one of the part's inputs may be at fault, and can be told from the request's others. */
export function isSuspect(error: GatewayError, part: Part, plan: Plan): boolean {
  if (plan.indivisible || plan.pieces.length === 1 || !isAboutContent(error)) return false;
  // Where all vectors of several are unsound, it is the provider.
  if (error.isUnsound) return error.input !== undefined || part.pieces.length === 1;
  // A provider that names the input itself needs no search.
  return error.input === undefined;
}
