/**
 * Requests and tokens per minute and workspace: token buckets that refill continuously, so that a minute's worth may come at once but never two.
 * A new limit is a further kind of bucket, with a function that takes from it.
 */
import type { EndSignal } from "../domain/ending";
import type { Outside } from "../domain/outside";
import { openClaims, wordsFor } from "../machine/claims";
import { addHeaders, limited } from "./limit-words";
import type { WorkspaceRules } from "./workspaces";

export interface RateLimits {
  /**
   * Takes one request from the bucket: before anything is done for it, and whatever happens to it.
   * @returns what to wait for, if the limits are stored elsewhere (shared-limits.ts); otherwise undefined
   * @throws GatewayError rate_limited, with the time after which the request would pass; the signal's reason
   */
  takeRequest(rules: Limited, signal?: EndSignal): undefined | Promise<undefined>;
  /**
   * Takes a request's estimated tokens from the bucket, before they are counted.
   * @returns a function to call with the real count, once it is known
   * @throws GatewayError rate_limited, in the same way
   */
  takeTokens(rules: Limited, tokens: number, signal?: EndSignal): Correct | Promise<Correct>;
  /** Whether the gateway may measure one more caller-chosen id for the workspace; if so, takes one from the bucket. */
  mayMeasure(workspace: string): boolean;
  /** The six headers that OpenAI's clients read; none for a workspace without limits. */
  headers(rules: Limited): Record<string, string>;
}

export type Correct = (actual: number) => void;

/** The headers of this machine's own limits, known at once. */
export interface OwnRateLimits extends RateLimits {
  takeRequest(rules: Limited): undefined;
  takeTokens(rules: Limited, tokens: number): Correct;
}

export type Limited = Pick<WorkspaceRules, "name" | "requestsPerMinute" | "tokensPerMinute">;

const MINUTE_NS = 60e9;
const NS_PER_MS = 1e6;
/** Beyond this many within a minute, further workspaces get no slot of their own. */
const BUCKETS_MAX = 65_536;
/** Workspaces without a slot share one of these: they are refused sooner than alone, and are never without a limit. */
export const SHARED_BUCKETS = 512;
/** The slots, the shared buckets, and for each slot the limit by which its bucket was last filled. */
export const limitWordsFor = (places: number): number => wordsFor(places) + SHARED_BUCKETS + places;
export const LIMIT_WORDS = limitWordsFor(BUCKETS_MAX);
/** Caller-chosen ids per workspace: the operator pays for their measurement. */
export const MEASUREMENTS_PER_MINUTE = 6;

/**
 * A bucket is one number: the time at which it is full again, which each request moves forward by what it takes. So it fits into a word that
 * several processes change without a lock.
 * @param seed random bytes, the same for all that share the words, because callers choose workspaces' names
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
    // A bucket that was full a minute ago equals a new one.
    mayGo: (fullAt) => fullAt < now() - BigInt(MINUTE_NS),
  });
  const firstValue = places;
  const firstShared = wordsFor(places);
  /** The limit of each slot's bucket. A changed limit changes what is missing in proportion. */
  const limits = words.subarray(firstShared + SHARED_BUCKETS);
  // In 32-bit halves, as in claims.ts: every request reads it.
  const halves = new Int32Array(limits.buffer, limits.byteOffset, 2 * limits.length);

  /** The index of its word. */
  function placeOf(name: string): number {
    const own = claims.placeOf(name);
    if (own !== undefined) return firstValue + own;
    return firstShared + Number(BigInt.asUintN(32, claims.hashOf(name)) % BigInt(SHARED_BUCKETS));
  }

  /** The time until the bucket is full. */
  function missingNs(place: number): number {
    return Math.max(0, Number(Atomics.load(words, place) - now()));
  }

  /** @returns whether the bucket had `neededNs`; otherwise nothing is taken */
  function takeFrom(place: number, amountNs: number, neededNs: number): boolean {
    for (;;) {
      const fullAt = Atomics.load(words, place);
      const at = now();
      const isFull = fullAt <= at;
      const missing = isFull ? 0 : Number(fullAt - at);
      if (missing + neededNs > MINUTE_NS) return false;
      const next = (isFull ? at : fullAt) + BigInt(Math.floor(amountNs));
      if (Atomics.compareExchange(words, place, fullAt, next) === fullAt) return true;
    }
  }

  function giveBack(place: number, amountNs: number): void {
    Atomics.sub(words, place, BigInt(Math.floor(amountNs)));
  }

  /** If two processes see a new limit, one applies it. A slot that was another's is full, and a full bucket stays full. */
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
      // After lowering it is empty at most: what was used of the higher limit is not owed.
      const scaled = Math.min((missing * Number(before)) / limit, Math.max(missing, MINUTE_NS));
      if (Atomics.compareExchange(words, place, fullAt, at + BigInt(Math.floor(scaled))) === fullAt) return;
    }
  }

  const bucketOf = (what: Bucket["what"], name: string, limit: number): Bucket => ({
    what,
    named: `${what} ${name}`,
    limit,
    unitNs: MINUTE_NS / limit,
  });

  /** A workspace's, as long as its rules stay the same. */
  const known = new WeakMap<Limited, Buckets>();

  function bucketsOf(rules: Limited): Buckets {
    const before = known.get(rules);
    if (before) return before;
    const { name, requestsPerMinute, tokensPerMinute } = rules;
    const made = {
      requests: requestsPerMinute === undefined ? undefined : bucketOf("requests", name, requestsPerMinute),
      tokens: tokensPerMinute === undefined ? undefined : bucketOf("tokens", name, tokensPerMinute),
    };
    known.set(rules, made);
    return made;
  }

  /** The index of the bucket's word now: another workspace may have got its slot meanwhile. */
  function placeNow({ named, limit }: Bucket): number {
    const place = placeOf(named);
    adapt(place, limit);
    return place;
  }

  /** @returns the index of its word @throws GatewayError rate_limited */
  function take(bucket: Bucket, amount: number, rules: Limited): number {
    const { what, limit, unitNs } = bucket;
    const place = placeNow(bucket);
    const amountNs = amount * unitNs;
    // A request of more than a minute's worth passes when the bucket is full: otherwise it never would.
    const neededNs = Math.min(amountNs, MINUTE_NS);
    if (takeFrom(place, amountNs, neededNs)) return place;
    const missing = missingNs(place);
    const waitMs = Math.max(0, missing + neededNs - MINUTE_NS) / NS_PER_MS;
    throw limited({ what, limit, missingMs: missing / NS_PER_MS }, waitMs, headersOf(rules));
  }

  function tell(headers: Record<string, string>, bucket: Bucket | undefined): void {
    if (bucket === undefined) return;
    const { what, limit } = bucket;
    addHeaders(headers, { what, limit, missingMs: missingNs(placeNow(bucket)) / NS_PER_MS });
  }

  function headersOf(rules: Limited): Record<string, string> {
    const { requests, tokens } = bucketsOf(rules);
    const headers: Record<string, string> = {};
    tell(headers, requests);
    tell(headers, tokens);
    return headers;
  }

  return {
    takeRequest(rules) {
      const { requests } = bucketsOf(rules);
      if (requests) take(requests, 1, rules);
      return undefined;
    },
    takeTokens(rules, tokens) {
      const bucket = bucketsOf(rules).tokens;
      if (!bucket) return () => undefined;
      const { unitNs } = bucket;
      const place = take(bucket, tokens, rules);
      return (actual) => {
        if (actual < tokens) giveBack(place, (tokens - actual) * unitNs);
        else if (actual > tokens) takeFrom(place, (actual - tokens) * unitNs, Number.NEGATIVE_INFINITY);
      };
    },
    mayMeasure(workspace) {
      const bucket = bucketOf("measurements", workspace, MEASUREMENTS_PER_MINUTE);
      return takeFrom(placeNow(bucket), bucket.unitNs, bucket.unitNs);
    },
    headers: headersOf,
  };
}

interface Buckets {
  readonly requests: Bucket | undefined;
  readonly tokens: Bucket | undefined;
}

interface Bucket {
  readonly what: "requests" | "tokens" | "measurements";
  /** The name by which its word is found. */
  readonly named: string;
  /** Per minute. */
  readonly limit: number;
  /** The time in which one unit refills. */
  readonly unitNs: number;
}

/** For requests without a limit. */
export const unlimited = (limits: RateLimits): RateLimits => ({
  ...limits,
  takeRequest: () => undefined,
  takeTokens: () => () => undefined,
  headers: () => ({}),
});
