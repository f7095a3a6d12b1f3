/**
 * How a rate limit is reported: in the six headers that OpenAI's clients read, and in the error of a refused request.
 * It does not matter where a bucket is stored; a further value to report is a line of `headersFor`.
 */
import { GatewayError } from "../domain/errors";

export const MINUTE_MS = 60_000;

/** The current state of a bucket. */
export interface Told {
  readonly what: "requests" | "tokens" | "measurements";
  /** Per minute. */
  readonly limit: number;
  /** Time until it is full again. */
  readonly missingMs: number;
}

export function headersFor(told: Told): Record<string, string> {
  return addHeaders({}, told);
}

/** As `headersFor`, to those of another bucket. */
export function addHeaders(headers: Record<string, string>, told: Told): Record<string, string> {
  const { what, limit, missingMs } = told;
  const names = NAMES[what];
  headers[names.limit] = String(limit);
  headers[names.remaining] = String(remaining(told));
  headers[names.reset] = duration(missingMs);
  return headers;
}

const namesOf = (what: string) => ({
  limit: `x-ratelimit-limit-${what}`,
  remaining: `x-ratelimit-remaining-${what}`,
  reset: `x-ratelimit-reset-${what}`,
});
const NAMES = {
  requests: namesOf("requests"),
  tokens: namesOf("tokens"),
  measurements: namesOf("measurements"),
} as const satisfies Record<Told["what"], unknown>;

function remaining({ limit, missingMs }: Told): number {
  // The missing amount is a whole number of units, each cut to whole nanoseconds.
  return Math.max(0, Math.floor(((MINUTE_MS - missingMs) * limit) / MINUTE_MS + 1e-6));
}

/** @param waitMs after this time the request would pass */
export function limited(told: Told, waitMs: number, headers: Record<string, string>): GatewayError {
  const { what, limit } = told;
  const retryAfterMs = Math.ceil(waitMs);
  return new GatewayError(
    "rate_limited",
    `Rate limit reached: the workspace may send ${limit} ${what} per minute (${remaining(told)} of ${limit} left). Try again in ${duration(retryAfterMs)}.`,
    { retryAfterMs, headers },
  );
}

/** In the format of Go and of OpenAI's headers: 20ms, 1.5s, 6m0s. */
export function duration(milliseconds: number): string {
  const ms = Math.max(0, Math.ceil(milliseconds));
  if (ms < 1_000) return `${ms}ms`;
  const seconds = ms / 1_000;
  if (seconds < 60) return `${Number(seconds.toFixed(3))}s`;
  return `${Math.floor(seconds / 60)}m${Number((seconds % 60).toFixed(3))}s`;
}
