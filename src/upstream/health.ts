/**
 * The health of each model at a provider: calls in flight, pause after a 429, circuit breaker.
 * A new thing to remember about a target is a member of `Health`.
 */
import type { GatewayError } from "../domain/errors";
import { type Health, type LimitSeen, limitOfBoth, NO_LIMIT_SEEN, type Outcome } from "../domain/health";
import type { Outside } from "../domain/outside";
import { createBreaker } from "./breaker";
import { createRecentCalls } from "./recent-calls";
import { type Rests, restingWithOthers } from "./rests";

/** Callers choose the names under a pattern, so the least recently used are forgotten. */
const REMEMBERED_MAX = 1_000;

/** A provider may ask for a pause until tomorrow; it is tried again earlier, in case its limit was raised. */
const REST_MS_MAX = 300_000;
/** For a 429 without Retry-After. */
const REST_MS_DEFAULT = 1_000;

export interface Healths {
  /** The health of a model, by its name at the provider. */
  (model: string): Health;
  /** Models whose circuit breaker is open or half-open. */
  breakersOpen(): number;
}

/** Where the pauses of other machines are known, and the name of a model there. */
export interface RestsOf {
  readonly rests: Rests;
  readonly accountOf: (model: string) => string;
}

/** @param limitsOf returns a model's limit as learned before a restart or by another process */
export function createHealths(
  clock: Pick<Outside, "monotonic" | "random">,
  limitsOf: (model: string) => () => LimitSeen = () => () => NO_LIMIT_SEEN,
  others?: RestsOf,
): Healths {
  const healths = new Map<string, Health>();
  function created(model: string): Health {
    const health = newHealth(clock, limitsOf(model));
    return others ? restingWithOthers(health, others.rests, others.accountOf(model)) : health;
  }
  let latest: { readonly model: string; readonly health: Health } | undefined;
  const healthOf = (model: string) => {
    // Needed many times within one request.
    if (latest?.model === model) return latest.health;
    const health = healths.get(model) ?? created(model);
    healths.delete(model);
    healths.set(model, health);
    const [oldest] = healths.keys();
    if (healths.size > REMEMBERED_MAX && oldest !== undefined) healths.delete(oldest);
    latest = { model, health };
    return health;
  };
  const breakersOpen = () => [...healths.values()].filter(({ breaker }) => !breaker.isClosed()).length;
  return Object.assign(healthOf, { breakersOpen });
}

function newHealth(clock: Pick<Outside, "monotonic" | "random">, known: () => LimitSeen): Health {
  let own = NO_LIMIT_SEEN;
  return {
    breaker: createBreaker(clock),
    recentCalls: createRecentCalls(),
    inputsUnderWay: 0,
    restsUntil: 0,
    mayBeLoading: true,
    inputsInTime: undefined,
    hasAnswered: false,
    get limit() {
      return limitOfBoth(own, known());
    },
    set limit(seen) {
      own = seen;
    },
    isToldOfLength: false,
    lengthsSeen: new Map(),
    countsCharacters: false,
    equalCountsNeeded: 0,
    stopsAtNul: undefined,
  };
}

/** What a failed call says about the provider's health, apart from the request's error. */
export function outcomeOf({ kind, meaning, input, isUnsound }: GatewayError): Outcome {
  if (!meaning.fallBack) return "good";
  if (kind === "cut_silently") return "good";
  // The provider answers, though perhaps without vectors.
  if (kind === "no_vector") return "unknown";
  // The provider works but limits the rate, so it gets a pause.
  if (kind === "overloaded") return "unknown";
  // Other vectors of the same reply were valid.
  if (isUnsound && input !== undefined) return "good";
  return kind === "timeout" ? "timed out" : "failed";
}

/** How long the provider gets a pause after a 429; it is called anyway if no other target can serve. */
export function restMs({ kind, retryAfterMs }: GatewayError): number {
  if (kind !== "overloaded" && (kind !== "unavailable" || retryAfterMs === undefined)) return 0;
  return Math.min(REST_MS_MAX, retryAfterMs ?? REST_MS_DEFAULT);
}
