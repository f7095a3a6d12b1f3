/**
 * Chooses the target of a call: from the first group with a usable target, by weight and load. A target that failed comes last.
 * A new reason to skip a target is a filter here.
 */

import { GatewayError } from "../domain/errors";
import type { Health } from "../domain/health";
import type { Route, Target } from "../domain/request";
import type { History } from "./history";
import type { Work } from "./work";

/** If a provider asks for a longer pause than this, do not wait: pass its Retry-After on to the caller. */
export const RETRY_AFTER_MS_MAX = 60_000;
/** The shortest Retry-After for the many callers of a provider that is down. */
const COME_BACK_MS_MIN = 1_000;

export interface Chosen {
  readonly target: Target;
  /** How long to wait before the call. */
  readonly waitMs: number;
  /** No other target can serve instead. */
  readonly isLast: boolean;
  /** This target was called for these pieces before. */
  readonly isAgain: boolean;
  /** How many more calls are allowed for these pieces, this one included. */
  readonly callsLeft: number;
}

/** Wait for the call that tests a recovering provider (half-open circuit breaker), then choose again. */
interface TrialToAwait {
  readonly trial: Promise<void>;
  /** undefined: this request's own call, whose outcome it needs. Otherwise the error that applies if the provider does not recover soon. */
  readonly error: GatewayError | undefined;
}

/** A target, a call in flight to wait for, or the final error. */
export type Choice = Chosen | TrialToAwait | { readonly error: GatewayError };

export function choose(work: Work, history: History): Choice {
  const { route, run, lane, outside } = work;
  const now = outside.monotonic();
  const stands = history.failure?.error;
  const callsLeft = run.attemptsMax - history.calls - work.joint.callsInVain;
  if (stands && callsLeft <= 0) return { error: stands };
  const [only] = route.targets;
  // The usual case: the first call, where there is nothing to choose between.
  if (history.calls === 0 && route.targets.length === 1 && only.mayServe() && isReadyAt(only, now, lane))
    return { target: only, waitMs: 0, isLast: false, isAgain: false, callsLeft };
  return chosenAmong(work, history, now, callsLeft);
}

const admits = (target: Target) => healthOf(target).breaker.admits(false);

const isReadyAt = (target: Target, now: number, lane: Work["lane"]) =>
  admits(target) && healthOf(target).restsUntil <= now && !target.provider.gate.isFull(lane);

function chosenAmong(work: Work, history: History, now: number, callsLeft: number): Choice {
  const { route, run, lane, outside } = work;
  const stands = history.failure?.error;
  const isReady = (target: Target) => isReadyAt(target, now, lane);
  const serving = route.targets.filter(({ mayServe }) => mayServe());
  const mayAskAgain = (target: Target) => {
    const asked = history.asked.get(target);
    if (asked === undefined || asked.calls > target.provider.retries) return false;
    return asked.error.meaning.retry && (asked.error.retryAfterMs ?? 0) <= RETRY_AFTER_MS_MAX;
  };
  const unasked = serving.filter((target) => !history.asked.has(target));
  const again = history.calls === 0 ? [] : leastAsked(serving.filter(mayAskAgain), history);
  const target =
    drawn(unasked.filter(isReady), outside.random) ??
    again.find(isReady) ??
    drawn(unasked.filter(admits), outside.random) ??
    again.find(admits);
  if (target) {
    const waitMs = Math.max(0, (history.asked.get(target)?.askAgainAt ?? now) - now);
    // It is better to return the provider's error now than a deadline error later.
    if (stands && now + waitMs >= run.endsAt) return { error: stands };
    return { target, waitMs, isLast: false, isAgain: history.asked.has(target), callsLeft };
  }
  if (stands) return { error: stands };
  if (serving.length === 0) return { error: outOfService(route.id) };
  return lastResort(serving, work, callsLeft);
}

/** All circuit breakers are open. A caller who comes alone still gets a provider's own answer; many callers at once do not reach it. */
function lastResort(serving: readonly Target[], { run }: Work, callsLeft: number): Choice {
  const untried = serving.find((target) => healthOf(target).breaker.admits(true));
  if (untried) return { target: untried, waitMs: 0, isLast: true, isAgain: false, callsLeft };
  const breakers = serving.map((target) => healthOf(target).breaker);
  const trials = breakers.map((breaker) => breaker.trial()).filter((trial) => trial !== undefined);
  const own = trials.find(({ owner }) => owner === run);
  if (own) return { trial: own.over, error: undefined };
  const retryAfterMs = Math.max(
    COME_BACK_MS_MIN,
    Math.min(...breakers.map((breaker) => breaker.openForMs())),
  );
  return {
    trial: Promise.race(trials.map(({ over }) => over)),
    error: new GatewayError(
      "unavailable",
      "Circuit breaker open: the provider failed several times in a row, and another request is testing it. Retry later.",
      { retryAfterMs },
    ),
  };
}

/** The target of a hedged second call: another healthy target, or the same one if there is none. */
export function chooseBeside(work: Work, first: Chosen): Chosen | undefined {
  const { route, lane, outside } = work;
  const now = outside.monotonic();
  const fit = route.targets.filter(
    (target) =>
      target.mayServe() &&
      healthOf(target).breaker.isClosed() &&
      healthOf(target).restsUntil <= now &&
      !target.provider.gate.isFull(lane),
  );
  const others = fit.filter((target) => target !== first.target);
  const target = drawn(others, outside.random) ?? fit.find((same) => same === first.target);
  const callsLeft = first.callsLeft - 1;
  return target && { target, waitMs: 0, isLast: false, isAgain: target === first.target, callsLeft };
}

/** Whether this target asked to be left alone (Retry-After) in its answer to the other call of a hedged pair. */
export function isToWait({ comeBackAt, outside }: Work, target: Target): boolean {
  return (comeBackAt.get(target) ?? 0) > outside.monotonic();
}

export function healthOf({ provider, model }: Target): Health {
  return provider.healthOf(model);
}

/** Draws two targets of the first group by weight and takes the one with less load for its weight. */
function drawn(candidates: readonly Target[], random: () => number): Target | undefined {
  if (candidates.length <= 1) return candidates[0];
  const group = Math.min(...candidates.map((candidate) => candidate.group));
  const members = candidates.filter((candidate) => candidate.group === group);
  const weighty = members.filter(({ weight }) => weight > 0);
  const eligible = weighty.length > 0 ? weighty : members;
  const one = byWeight(eligible, random);
  const other = byWeight(
    eligible.filter((target) => target !== one),
    random,
  );
  if (one === undefined || other === undefined) return one;
  return load(other) < load(one) ? other : one;
}

function byWeight(targets: readonly Target[], random: () => number): Target | undefined {
  if (targets.length <= 1) return targets[0];
  const sum = targets.reduce((total, target) => total + shareOf(target), 0);
  let at = random() * sum;
  for (const target of targets) {
    at -= shareOf(target);
    if (at < 0) return target;
  }
  return targets.at(-1);
}

/** Targets of weight 0 are drawn only among themselves. */
const shareOf = ({ weight }: Target) => (weight > 0 ? weight : 1);

const load = (target: Target) => healthOf(target).inputsUnderWay / shareOf(target);

function leastAsked(targets: readonly Target[], { asked }: History): Target[] {
  const calls = (target: Target) => asked.get(target)?.calls ?? 0;
  return [...targets].sort((a, b) => calls(a) - calls(b) || a.group - b.group);
}

/** For a model none of whose routes may serve. */
export const outOfService = (id: string) =>
  new GatewayError(
    "space_out_of_service",
    `The model '${id}' is out of service: none of its routes is measured to be in its embedding space. The gateway's operator finds details in GET /admin/notices.`,
  );

/** Another route might have avoided this failure: if the model has one that may not serve, the error names it. */
export function withUnused(error: GatewayError, { targets }: Pick<Route, "targets">): GatewayError {
  const unused = targets.filter(({ mayServe }) => !mayServe()).map(({ provider }) => `'${provider.name}'`);
  if (!error.meaning.fallBack || unused.length === 0) return error;
  const which = unused.length === 1 ? `its route ${unused[0]} is` : `its routes ${unused.join(", ")} are`;
  const message = `${error.message} (The model has ${targets.length} routes; ${which} not used: not measured to be in its embedding space.)`;
  // Callers who may not see the providers are not told.
  const provider = error.provider ?? targets[0].provider.name;
  return new GatewayError(error.kind, message, { ...error, provider, cause: error.cause });
}
