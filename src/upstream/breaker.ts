/**
 * The circuit breaker of a model at a provider: opens after repeated failures, then becomes half-open with one trial call at a time.
 * It decides how long it stays open; `outcomeOf` in src/upstream/health.ts decides which failures count.
 */
import type { BegunCall, Breaker, Trial } from "../domain/health";
import type { Outside } from "../domain/outside";

/** Consecutive failures that open it. */
const FAILURES_MAX = 5;
const OPEN_MS_MIN = 1_000;
const OPEN_MS_MAX = 60_000;

export function createBreaker({ monotonic, random }: Pick<Outside, "monotonic" | "random">): Breaker {
  let failuresInARow = 0;
  /** Grows with each counted failure. Calls that were in flight together and fail together count as one failure. */
  let failuresCounted = 0;
  /** undefined: closed. */
  let openUntil: number | undefined;
  let nextOpenMs = OPEN_MS_MIN;
  let trial: Trial | undefined;

  function open(): "opened" {
    // Jitter: gateways that lost a provider at the same time must not retry at the same time.
    openUntil = monotonic() + nextOpenMs * (0.8 + 0.4 * random());
    nextOpenMs = Math.min(OPEN_MS_MAX, nextOpenMs * 2);
    return "opened";
  }

  function close(): "closed" | "unchanged" {
    const wasOpen = openUntil !== undefined;
    failuresInARow = 0;
    openUntil = undefined;
    nextOpenMs = OPEN_MS_MIN;
    return wasOpen ? "closed" : "unchanged";
  }

  const isDue = () => openUntil !== undefined && monotonic() >= openUntil;
  const admits = (isLast: boolean) => openUntil === undefined || (trial === undefined && (isLast || isDue()));

  function beginTrial(owner: object): BegunCall {
    const { promise: over, resolve } = Promise.withResolvers<void>();
    const wasDue = isDue();
    trial = { owner, over };
    return {
      ended(outcome) {
        trial = undefined;
        resolve();
        if (outcome === "good") return close();
        const hasFailed = outcome === "failed" || outcome === "timed out";
        return hasFailed && wasDue ? open() : "unchanged";
      },
    };
  }

  return {
    admits,
    begin(owner, isLast) {
      if (!admits(isLast)) return undefined;
      if (openUntil !== undefined) return beginTrial(owner);
      const countedBefore = failuresCounted;
      return {
        ended(outcome) {
          if (outcome === "good") return close();
          if (outcome === "unknown" || openUntil !== undefined) return "unchanged";
          // A broken connection fails all of its calls at once; a timeout counts for each call.
          if (outcome === "failed" && countedBefore !== failuresCounted) return "unchanged";
          failuresCounted += 1;
          failuresInARow += 1;
          return failuresInARow >= FAILURES_MAX ? open() : "unchanged";
        },
      };
    },
    isClosed: () => openUntil === undefined,
    trial: () => trial,
    openForMs: () => Math.max(0, (openUntil ?? 0) - monotonic()),
  };
}
