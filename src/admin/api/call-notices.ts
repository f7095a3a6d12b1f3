/**
 * Notices from the calls of the last minutes of this process: a provider that limits the rate, or that fails although retries and other routes
 * still answer the requests, so that the sums of requests (recent-notices.ts) say nothing of it. A further notice is a function of `callNotices`.
 */
import { ERROR_KINDS } from "../../domain/errors";
import type { CallCounts, Health } from "../../domain/health";
import type { Outside } from "../../domain/outside";
import type { Route, Target } from "../../domain/request";
import { FAILING_SHARE, FAILURES_MIN, RECENT_MINUTES } from "./recent-notices";

export interface CallNotice {
  readonly kind: "rate_limited" | "failing";
  readonly severity: "error" | "warning";
  readonly model: string;
  readonly provider: string;
  readonly space: string;
  readonly workspace: null;
  readonly message: string;
  readonly command: string;
}

/** The last minutes count by themselves if they have this many calls, so that a notice comes and goes soon. */
const LAST_MINUTES = 2;
const CALLS_OF_LAST_MIN = 10;
/** Shorter pauses pass before anybody can do something. */
const LONG_REST_MS = 10_000;

const PROVIDERS_FAULTS: ReadonlySet<string> = new Set(
  ERROR_KINDS.flatMap(([kind, { fallBack }]) => (fallBack ? [kind] : [])),
);

export function callNotices(routes: readonly Route[], outside: Pick<Outside, "monotonic">): CallNotice[] {
  const now = outside.monotonic();
  return routes.flatMap((route) =>
    route.targets.flatMap(
      (target) => ofRateLimit(route, target, now) ?? ofFailures(route, target, now) ?? [],
    ),
  );
}

function ofRateLimit(route: Route, target: Target, now: number): CallNotice | undefined {
  const health = target.provider.healthOf(target.model);
  const { counts, minutes } = lately(health, now);
  const restMs = health.recentCalls.latest === "limited" ? health.restsUntil - now : 0;
  const isResting = restMs >= LONG_REST_MS;
  if (!isResting && !isMuch(counts.limited, counts)) return undefined;
  const hasOther = route.targets.some((other) => other !== target && isReady(other, now));
  const pause = isResting ? `, and asks to wait for ${Math.ceil(restMs / 1_000)} s` : "";
  const instead = hasOther ? "Other routes serve it meanwhile." : "No other route can serve it meanwhile.";
  return {
    ...about(route, target),
    kind: "rate_limited",
    severity: isResting && !hasOther ? "error" : "warning",
    message: `'${target.provider.name}' limits the rate for ${route.id}: it refused ${counts.limited} of ${counts.calls} calls in the last ${minutes} minutes${pause}.${reasonOf(health)} ${instead} Ask the provider for a higher limit, or add a route.`,
    command: "embedgate usage --since 1h --by workspace,model",
  };
}

function ofFailures(route: Route, target: Target, now: number): CallNotice | undefined {
  const health = target.provider.healthOf(target.model);
  const { counts, minutes } = lately(health, now);
  if (!isMuch(counts.failed, counts)) return undefined;
  return {
    ...about(route, target),
    kind: "failing",
    severity: "warning",
    message: `'${target.provider.name}' failed ${counts.failed} of ${counts.calls} calls for ${route.id} in the last ${minutes} minutes; retries or other routes answered instead.${reasonOf(health)} Give the model a second route, or ask the provider.`,
    command: "embedgate models",
  };
}

const about = ({ id, space }: Route, { provider }: Target) => ({
  model: id,
  provider: provider.name,
  space,
  workspace: null,
});

function lately(
  { recentCalls }: Health,
  now: number,
): { readonly counts: CallCounts; readonly minutes: number } {
  const last = recentCalls.of(LAST_MINUTES, now);
  return last.calls >= CALLS_OF_LAST_MIN
    ? { counts: last, minutes: LAST_MINUTES }
    : { counts: recentCalls.of(RECENT_MINUTES, now), minutes: RECENT_MINUTES };
}

const isMuch = (part: number, { calls }: CallCounts) => part >= FAILURES_MIN && part >= calls * FAILING_SHARE;

function isReady({ provider, model, mayServe }: Target, now: number): boolean {
  const { breaker, restsUntil } = provider.healthOf(model);
  return mayServe() && breaker.isClosed() && restsUntil <= now;
}

/** What callers did wrong says nothing of the provider. */
const reasonOf = ({ lastError }: Health) =>
  lastError !== undefined && PROVIDERS_FAULTS.has(lastError.kind) ? ` ${lastError.message}` : "";
