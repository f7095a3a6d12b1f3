/**
 * The health of a model at a provider: its circuit breaker, its load, its pause after a 429. src/upstream/ keeps it.
 * To remember something else about a target, add a member to `Health`.
 */
import type { LengthsSeen } from "./lengths";

/** The trial call: the only call in flight while the circuit breaker is not closed. */
export interface Trial {
  /** The request that makes it: its other calls may wait for the outcome. */
  readonly owner: object;
  readonly over: Promise<void>;
}

/** A call's outcome. `good`: the answer of a working provider, including a refusal. `unknown`: the call was abandoned. */
export type Outcome = "good" | "failed" | "timed out" | "unknown";

export interface BegunCall {
  /** @returns the effect of the outcome on the circuit breaker */
  ended(outcome: Outcome): "opened" | "closed" | "unchanged";
}

export interface Breaker {
  /** @param isLast no other target could serve instead, so that waiting for the breaker to close is useless */
  admits(isLast: boolean): boolean;
  /** Must be called right before the call. @returns undefined if the call must not be made */
  begin(owner: object, isLast: boolean): BegunCall | undefined;
  isClosed(): boolean;
  trial(): Trial | undefined;
  /** Time until the breaker admits a trial call, if another target could serve. */
  openForMs(): number;
}

/** What was observed of how much of a text a model at a provider reads. src/spaces/limits.ts stores it. */
export interface LimitSeen {
  /** Tokens that it reads, by the model's own count if its vocabulary is known; undefined: no limit was observed. */
  readonly tokens: number | undefined;
  /** How the limit was learned. words: from a refusal. It truncates silently: usage (from its token count) or trial (two texts with one vector). */
  readonly learnedBy: "words" | "usage" | "trial";
  /** Texts with up to this many tokens are known to be read whole; infinite if it refuses longer ones. */
  readonly wholeTo: number;
}

export const NO_LIMIT_SEEN: LimitSeen = { tokens: undefined, learnedBy: "words", wholeTo: 0 };

/** Combines two observations of one target: the smaller limit, and the longest text that was read whole. */
export function limitOfBoth(one: LimitSeen, other: LimitSeen): LimitSeen {
  if (other === NO_LIMIT_SEEN) return one;
  if (one === NO_LIMIT_SEEN) return other;
  const [first, second] =
    (one.tokens ?? Number.POSITIVE_INFINITY) <= (other.tokens ?? Number.POSITIVE_INFINITY)
      ? [one, other]
      : [other, one];
  const { tokens, learnedBy } = first;
  const wholeTo = Math.max(first.wholeTo, second.wholeTo);
  const isBounded = tokens !== undefined && learnedBy !== "words";
  return { tokens, learnedBy, wholeTo: isBounded ? Math.min(wholeTo, tokens) : wholeTo };
}

/** Calls that a model at a provider was sent within some minutes. A call that was cancelled is not among them. */
export interface CallCounts {
  readonly calls: number;
  /** By its own fault. */
  readonly failed: number;
  /** Refused by a rate limit (429). */
  readonly limited: number;
}

export type CallEnd = "answered" | "failed" | "limited";

export interface RecentCalls {
  /** @param now on the monotonic clock, as below */
  ended(now: number, how: CallEnd): void;
  /** @param lastMinutes the current one included, at most ten */
  of(lastMinutes: number, now: number): CallCounts;
  /** How the latest call ended; undefined: there was none. */
  readonly latest: CallEnd | undefined;
}

export interface Health {
  readonly breaker: Breaker;
  /** Of this process. */
  readonly recentCalls: RecentCalls;
  /** Inputs that wait for a slot at the provider, or were sent. */
  inputsUnderWay: number;
  /** End of the pause after a 429, on the monotonic clock. */
  restsUntil: number;
  /** No good answer and no timeout yet: it may still be loading its model. */
  mayBeLoading: boolean;
  /** How many inputs of a call it embeds within the timeout of an attempt; undefined while it was never too slow. */
  inputsInTime: number | undefined;
  /** Whether it has returned valid vectors. */
  hasAnswered: boolean;
  /** Observed by this process, and by others as far as it is stored in the database. */
  limit: LimitSeen;
  /** Whether the log has reported that its vectors have other lengths than 1. */
  isToldOfLength: boolean;
  /** Only for a model that is not known to be normalised. */
  readonly lengthsSeen: LengthsSeen;
  /** Its usage counts characters: infinity-emb 0.0.78 does, unless it is started with --lengths-via-tokenize. */
  countsCharacters: boolean;
  /** How many more counts in a row must equal the number of characters before the server is taken to count characters. 0 until one showed that it counts tokens. */
  equalCountsNeeded: number;
  /** Whether it reads a text only up to a NUL character; undefined: not tested yet. */
  stopsAtNul: boolean | undefined;
  /** The last failed call, even if later ones succeeded: for the operator. `at` is in milliseconds since 1970. */
  lastError?: { readonly at: number; readonly kind: string; readonly message: string };
}
