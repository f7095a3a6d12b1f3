/**
 * What is known of how a model at a provider is doing: its circuit breaker, its load, its rest. src/upstream/ keeps it.
 * A new thing to remember of a target is a member of `Health`.
 */
import type { LengthsSeen } from "./lengths";

/** The one call that may be under way while the breaker is not closed. */
export interface Trial {
  /** Who makes it: its other calls may wait for the outcome. */
  readonly owner: object;
  readonly over: Promise<void>;
}

/** A call's outcome: `good` is any answer of a provider that works, also a refusal; `unknown` one that was given up. */
export type Outcome = "good" | "failed" | "timed out" | "unknown";

export interface BegunCall {
  /** @returns what the outcome did to the breaker */
  ended(outcome: Outcome): "opened" | "closed" | "unchanged";
}

export interface Breaker {
  /** @param isLast no other target could serve instead, so that waiting for the breaker to close is useless */
  admits(isLast: boolean): boolean;
  /** Must be called right before the call; undefined where it may not be made. */
  begin(owner: object, isLast: boolean): BegunCall | undefined;
  isClosed(): boolean;
  trial(): Trial | undefined;
  /** Time until others than the last target's callers may try it. */
  openForMs(): number;
}

/** How much of a text a model at a provider looks at, as far as was seen; kept in the database by src/spaces/limits.ts. */
export interface LimitSeen {
  /** Tokens that it looks at, by the model's own count where its vocabulary is known. Undefined: no limit was seen. */
  readonly tokens: number | undefined;
  /** words: it refused a text and said so. It was seen to truncate there silently, usage: by its count; trial: by two texts with one vector. */
  readonly learnedBy: "words" | "usage" | "trial";
  /** Texts of so many tokens were seen to be looked at whole; no bound where it refuses what is too long. */
  readonly wholeTo: number;
}

export const NO_LIMIT_SEEN: LimitSeen = { tokens: undefined, learnedBy: "words", wholeTo: 0 };

/** What two have seen of one target: the smaller limit, and the longest text that was looked at whole. */
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

export interface Health {
  readonly breaker: Breaker;
  /** Waiting at the provider's gate or sent. */
  inputsUnderWay: number;
  /** On the monotonic clock. */
  restsUntil: number;
  /** No good answer and no timeout yet: it may still be loading its model. */
  mayBeLoading: boolean;
  /** Inputs in a call that it does in one attempt's time; undefined as long as it was never too slow. */
  inputsInTime: number | undefined;
  /** It has given vectors that were proved. */
  hasAnswered: boolean;
  /** By this process and, where the database has it, by any other. */
  limit: LimitSeen;
  /** It was told that its vectors come with another length than 1. */
  isToldOfLength: boolean;
  /** Only for a model that is not known to be normalised. */
  readonly lengthsSeen: LengthsSeen;
  /** Its usage counts characters: infinity-emb 0.0.78 does, unless it is started with --lengths-via-tokenize. */
  countsCharacters: boolean;
  /** The last call that failed, whatever came after it: for the operator. `at` is in milliseconds since 1970. */
  lastError?: { readonly at: number; readonly kind: string; readonly message: string };
}
