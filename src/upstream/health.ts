/**
 * How each model at a provider is doing, from request to request: calls in flight, rest after a 429, circuit breaker.
 * A new thing to remember of a target is a member of `Health`.
 */
import type { GatewayError } from "../domain/errors";
import { type Health, type LimitSeen, limitOfBoth, NO_LIMIT_SEEN, type Outcome } from "../domain/health";
import type { Outside } from "../domain/outside";
import { createBreaker } from "./breaker";
import { type Rests, restingWithOthers } from "./rests";

/** Callers choose the names that come under a pattern: the least recently used are forgotten. */
const REMEMBERED_MAX = 1_000;

/** A provider may say "tomorrow"; it is looked at again before, in case someone raised its limit. */
const REST_MS_MAX = 300_000;
/** For a 429 that does not say until when. */
const REST_MS_DEFAULT = 1_000;

export interface Healths {
  /** Of a model, by its name at the provider. */
  (model: string): Health;
  /** Models whose circuit breaker is open, or half-open. */
  breakersOpen(): number;
}

/** Where other machines' rests are known, and by what name a model's is. */
export interface RestsOf {
  readonly rests: Rests;
  readonly accountOf: (model: string) => string;
}

/** @param limitsOf asks what is known by now of a model's limit, in an earlier life or by another process */
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
    // Asked for many times in one request.
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
  };
}

/** What a failed call tells of the provider, beside what it tells of the request. */
export function outcomeOf({ kind, meaning, input, isUnsound }: GatewayError): Outcome {
  if (!meaning.fallBack) return "good";
  if (kind === "cut_silently") return "good";
  // It answers, and perhaps with nothing else.
  if (kind === "no_vector") return "unknown";
  // It works but limits the rate: it rests.
  if (kind === "overloaded") return "unknown";
  // Other vectors of the same answer were right.
  if (isUnsound && input !== undefined) return "good";
  return kind === "timeout" ? "timed out" : "failed";
}

/** Until when the provider rests after a 429; called anyway where no other target can serve. */
export function restMs({ kind, retryAfterMs }: GatewayError): number {
  if (kind !== "overloaded" && (kind !== "unavailable" || retryAfterMs === undefined)) return 0;
  return Math.min(REST_MS_MAX, retryAfterMs ?? REST_MS_DEFAULT);
}
