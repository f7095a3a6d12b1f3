/**
 * Requests and tokens a minute, a workspace: buckets that fill up continuously, so that a minute's worth may come at once but never two.
 * A new limit is a further kind of bucket, with a function that takes from it.
 */
import type { EndSignal } from "../domain/ending";
import type { Outside } from "../domain/outside";
import { openClaims, wordsFor } from "../machine/claims";
import { headersFor, limited } from "./limit-words";
import type { WorkspaceRules } from "./workspaces";

export interface RateLimits {
  /**
   * Takes one request: before anything is done for it, and whatever becomes of it.
   * @returns what to wait for, where the limits are kept elsewhere (shared-limits.ts); else nothing, and nobody waits
   * @throws GatewayError rate_limited, with the time after which it would pass; the signal's reason
   */
  takeRequest(rules: Limited, signal?: EndSignal): undefined | Promise<undefined>;
  /**
   * Takes a request's estimated tokens: they are not counted yet.
   * @returns what to call with the real count, once it is known
   * @throws GatewayError rate_limited, likewise
   */
  takeTokens(rules: Limited, tokens: number, signal?: EndSignal): Correct | Promise<Correct>;
  /** Whether the gateway may measure one more id of the workspace's own choice now; takes it, if so. */
  mayMeasure(workspace: string): boolean;
  /** The six headers that OpenAI's clients read; none for a workspace without limits. */
  headers(rules: Limited): Record<string, string>;
}

export type Correct = (actual: number) => void;

/** Those of this machine alone: known at once. */
export interface OwnRateLimits extends RateLimits {
  takeRequest(rules: Limited): undefined;
  takeTokens(rules: Limited, tokens: number): Correct;
}

export type Limited = Pick<WorkspaceRules, "name" | "requestsPerMinute" | "tokensPerMinute">;

const MINUTE_NS = 60e9;
const NS_PER_MS = 1e6;
/** Past some so many within a minute, those of further workspaces find no place of their own. */
const BUCKETS_MAX = 65_536;
/** Who finds no place has one of these with others: refused sooner than alone, and never without a limit. */
export const SHARED_BUCKETS = 512;
/** The places, the shared buckets, and for each place the limit that its bucket was last filled by. */
export const limitWordsFor = (places: number): number => wordsFor(places) + SHARED_BUCKETS + places;
export const LIMIT_WORDS = limitWordsFor(BUCKETS_MAX);
/** Of ids that callers choose under a pattern, a workspace: what is measured is paid for by the operator. */
export const MEASUREMENTS_PER_MINUTE = 6;

/**
 * A bucket is one number: the time at which it is full again, which each request moves on by what it takes. So it fits into a word that
 * several processes change without a lock.
 * @param seed random bytes, the same for all that share the words: callers choose workspaces' names
 * @param words LIMIT_WORDS of them, zero at first; shared by all processes whose clock is the same
 */
export function createRateLimits(
  { monotonic }: Pick<Outside, "monotonic">,
  seed: Uint8Array,
  words: BigInt64Array = new BigInt64Array(LIMIT_WORDS),
): OwnRateLimits {
  const now = () => BigInt(Math.round(monotonic() * NS_PER_MS));
  const places = (words.length - SHARED_BUCKETS) / 3;
  const claims = openClaims(words.subarray(0, wordsFor(places)), {
    seed,
    // One that was full a minute ago is as good as none.
    mayGo: (fullAt) => fullAt < now() - BigInt(MINUTE_NS),
  });
  const firstValue = places;
  const firstShared = wordsFor(places);
  /** What each place's bucket holds when it is full. A limit that was changed changes what is missing with it. */
  const limits = words.subarray(firstShared + SHARED_BUCKETS);
  // In halves, as in claims.ts: it is asked for every request.
  const halves = new Int32Array(limits.buffer, limits.byteOffset, 2 * limits.length);

  /** Where its word is. */
  function placeOf(name: string): number {
    const own = claims.placeOf(name);
    if (own !== undefined) return firstValue + own;
    return firstShared + Number(BigInt.asUintN(32, claims.hashOf(name)) % BigInt(SHARED_BUCKETS));
  }

  /** The time that is missing to a full bucket. */
  function missingNs(place: number): number {
    return Math.max(0, Number(Atomics.load(words, place) - now()));
  }

  /** @returns whether there was as much as `neededNs` of it; else nothing is taken */
  function takeFrom(place: number, amountNs: number, neededNs: number): boolean {
    for (;;) {
      const fullAt = Atomics.load(words, place);
      const at = now();
      const missing = fullAt > at ? fullAt - at : 0n;
      if (Number(missing) + neededNs > MINUTE_NS) return false;
      const next = at + missing + BigInt(Math.floor(amountNs));
      if (Atomics.compareExchange(words, place, fullAt, next) === fullAt) return true;
    }
  }

  function giveBack(place: number, amountNs: number): void {
    Atomics.sub(words, place, BigInt(Math.floor(amountNs)));
  }

  /** Of two who see a new limit, one does it. A place that was another's is full, and a full bucket stays full. */
  function adapt(place: number, limit: number): void {
    const own = place - firstValue;
    if (place >= firstShared) return;
    if (halves[2 * own] === (limit | 0) && halves[2 * own + 1] === Math.floor(limit / 2 ** 32)) return;
    const before = Atomics.load(limits, own);
    if (Atomics.compareExchange(limits, own, before, BigInt(limit)) !== before || before === 0n) return;
    for (;;) {
      const fullAt = Atomics.load(words, place);
      const at = now();
      if (fullAt <= at) return;
      const missing = Number(fullAt - at);
      // Lowered, it is empty at most: what was used of the higher limit is not owed.
      const scaled = Math.min((missing * Number(before)) / limit, Math.max(missing, MINUTE_NS));
      if (Atomics.compareExchange(words, place, fullAt, at + BigInt(Math.floor(scaled))) === fullAt) return;
    }
  }

  function bucketOf(what: Bucket["what"], name: string, limit: number): Bucket {
    const place = placeOf(`${what} ${name}`);
    adapt(place, limit);
    return { what, limit, place, unitNs: MINUTE_NS / limit };
  }

  function requestsOf({ name, requestsPerMinute }: Limited): Bucket[] {
    return requestsPerMinute === undefined ? [] : [bucketOf("requests", name, requestsPerMinute)];
  }

  function tokensOf({ name, tokensPerMinute }: Limited): Bucket[] {
    return tokensPerMinute === undefined ? [] : [bucketOf("tokens", name, tokensPerMinute)];
  }

  const both = (rules: Limited) => [...requestsOf(rules), ...tokensOf(rules)];

  /** @throws GatewayError rate_limited */
  function take({ what, limit, place, unitNs }: Bucket, amount: number, rules: Limited): void {
    const amountNs = amount * unitNs;
    // One request of more than a minute's worth passes when the bucket is full: else it never would.
    const neededNs = Math.min(amountNs, MINUTE_NS);
    if (takeFrom(place, amountNs, neededNs)) return;
    const missing = missingNs(place);
    const waitMs = Math.max(0, missing + neededNs - MINUTE_NS) / NS_PER_MS;
    throw limited({ what, limit, missingMs: missing / NS_PER_MS }, waitMs, headersOf(both(rules)));
  }

  function headersOf(buckets: readonly Bucket[]): Record<string, string> {
    const named: Record<string, string> = {};
    for (const { what, limit, place } of buckets)
      Object.assign(named, headersFor({ what, limit, missingMs: missingNs(place) / NS_PER_MS }));
    return named;
  }

  return {
    takeRequest(rules) {
      for (const bucket of requestsOf(rules)) take(bucket, 1, rules);
      return undefined;
    },
    takeTokens(rules, tokens) {
      const buckets = tokensOf(rules);
      for (const bucket of buckets) take(bucket, tokens, rules);
      return (actual) => {
        for (const { place, unitNs } of buckets) {
          if (actual < tokens) giveBack(place, (tokens - actual) * unitNs);
          else if (actual > tokens) takeFrom(place, (actual - tokens) * unitNs, Number.NEGATIVE_INFINITY);
        }
      };
    },
    mayMeasure(workspace) {
      const { place, unitNs } = bucketOf("measurements", workspace, MEASUREMENTS_PER_MINUTE);
      return takeFrom(place, unitNs, unitNs);
    },
    headers: (rules) => headersOf(both(rules)),
  };
}

interface Bucket {
  readonly what: "requests" | "tokens" | "measurements";
  /** A minute. */
  readonly limit: number;
  /** Its word. */
  readonly place: number;
  /** The time in which one more comes. */
  readonly unitNs: number;
}

/** For requests that are not counted. */
export const unlimited = (limits: RateLimits): RateLimits => ({
  ...limits,
  takeRequest: () => undefined,
  takeTokens: () => () => undefined,
  headers: () => ({}),
});
