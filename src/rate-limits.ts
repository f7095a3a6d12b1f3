/**
 * Requests and tokens a minute, a workspace: buckets that fill up continuously, so that a minute's worth may come at once but never two.
 * A further limit is a further bucket in `take`.
 */
import { GatewayError } from "./errors";
import type { Outside } from "./outside";
import { openClaims, wordsFor } from "./processes/claims";
import type { WorkspaceRules } from "./workspaces";

export interface RateLimits {
  /**
   * Takes one request and its tokens, as estimated: nobody has counted them yet.
   * @returns what to call with the real count, once it is known
   * @throws GatewayError rate_limited, with the time after which it would pass
   */
  take(rules: Limited, tokens: number): (actual: number) => void;
  /** The six headers that OpenAI's clients read; none for a workspace without limits. */
  headers(rules: Limited): Record<string, string>;
}

export type Limited = Pick<WorkspaceRules, "name" | "requestsPerMinute" | "tokensPerMinute">;

const MINUTE_NS = 60e9;
const NS_PER_MS = 1e6;
/** Past some so many within a minute, those of further workspaces find no place, and are not kept. */
export const BUCKETS_MAX = 65_536;

/**
 * A bucket is one number: the time at which it is full again, which each request moves on by what it takes. So it fits into a word that
 * several processes change without a lock.
 * @param words of src/processes/claims.ts, zero at first; shared by all processes whose clock is the same
 */
export function createRateLimits(
  { monotonic }: Pick<Outside, "monotonic">,
  words: BigInt64Array = new BigInt64Array(wordsFor(BUCKETS_MAX)),
): RateLimits {
  const now = () => BigInt(Math.round(monotonic() * NS_PER_MS));
  // One that was full a minute ago is as good as none.
  const { placeOf, values } = openClaims(words, (fullAt) => fullAt < now() - BigInt(MINUTE_NS));

  /** The time that is missing to a full bucket. */
  function missingNs(place: number): number {
    return Math.max(0, Number(Atomics.load(values, place) - now()));
  }

  /** @returns whether there was as much as `neededNs` of it; else nothing is taken */
  function takeFrom(place: number, amountNs: number, neededNs: number): boolean {
    for (;;) {
      const fullAt = Atomics.load(values, place);
      const at = now();
      const missing = fullAt > at ? fullAt - at : 0n;
      if (Number(missing) + neededNs > MINUTE_NS) return false;
      const next = at + missing + BigInt(Math.floor(amountNs));
      if (Atomics.compareExchange(values, place, fullAt, next) === fullAt) return true;
    }
  }

  function giveBack(place: number, amountNs: number): void {
    Atomics.sub(values, place, BigInt(Math.floor(amountNs)));
  }

  const both = ({ name, requestsPerMinute, tokensPerMinute }: Limited): Bucket[] => {
    const buckets: Bucket[] = [];
    const add = (what: Bucket["what"], limit: number | undefined) => {
      if (limit === undefined) return;
      const place = placeOf(`${what} ${name}`);
      if (place !== undefined) buckets.push({ what, limit, place, unitNs: MINUTE_NS / limit });
    };
    add("requests", requestsPerMinute);
    add("tokens", tokensPerMinute);
    return buckets;
  };

  function headersOf(buckets: readonly Bucket[]): Record<string, string> {
    const named: Record<string, string> = {};
    for (const { what, limit, place, unitNs } of buckets) {
      const missing = missingNs(place);
      // What is missing is a whole number of units, each cut to whole nanoseconds.
      const remaining = Math.floor((MINUTE_NS - missing) / unitNs + 1e-6);
      named[`x-ratelimit-limit-${what}`] = String(limit);
      named[`x-ratelimit-remaining-${what}`] = String(Math.max(0, remaining));
      named[`x-ratelimit-reset-${what}`] = duration(missing / NS_PER_MS);
    }
    return named;
  }

  return {
    take(rules, tokens) {
      const amounts = { requests: 1, tokens };
      const buckets = both(rules);
      const taken: { readonly place: number; readonly amountNs: number }[] = [];
      for (const { what, limit, place, unitNs } of buckets) {
        const amountNs = amounts[what] * unitNs;
        // One request of more than a minute's worth passes when the bucket is full: else it never would.
        const neededNs = Math.min(amountNs, MINUTE_NS);
        if (takeFrom(place, amountNs, neededNs)) {
          taken.push({ place, amountNs });
          continue;
        }
        for (const { place: before, amountNs: amount } of taken) giveBack(before, amount);
        const waitMs = Math.max(0, missingNs(place) + neededNs - MINUTE_NS) / NS_PER_MS;
        throw limited(what, limit, waitMs, headersOf(buckets));
      }
      return (actual) => {
        for (const { what, place, unitNs } of buckets) {
          if (what !== "tokens" || actual === tokens) continue;
          if (actual < tokens) giveBack(place, (tokens - actual) * unitNs);
          else takeFrom(place, (actual - tokens) * unitNs, Number.NEGATIVE_INFINITY);
        }
      };
    },
    headers: (rules) => headersOf(both(rules)),
  };
}

interface Bucket {
  readonly what: "requests" | "tokens";
  /** A minute. */
  readonly limit: number;
  /** Its word. */
  readonly place: number;
  /** The time in which one more comes. */
  readonly unitNs: number;
}

function limited(what: string, limit: number, waitMs: number, headers: Record<string, string>): GatewayError {
  const retryAfterMs = Math.ceil(waitMs);
  return new GatewayError(
    "rate_limited",
    `Rate limit reached: the workspace may send ${limit} ${what} per minute. Try again in ${duration(retryAfterMs)}.`,
    { retryAfterMs, headers },
  );
}

/** As Go writes it, and OpenAI's headers: 20ms, 1.5s, 6m0s. */
export function duration(milliseconds: number): string {
  const ms = Math.max(0, Math.ceil(milliseconds));
  if (ms < 1_000) return `${ms}ms`;
  const seconds = ms / 1_000;
  if (seconds < 60) return `${Number(seconds.toFixed(3))}s`;
  return `${Math.floor(seconds / 60)}m${Number((seconds % 60).toFixed(3))}s`;
}
