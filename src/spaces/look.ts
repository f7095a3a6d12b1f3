/**
 * One check of one route: measures it, assesses the measurement, and updates the space's fingerprint.
 * spaces.ts decides when a check is due and which routes may serve after it.
 */

import type { Ending } from "../domain/ending";
import { endingWithin } from "../domain/ending-within";
import { asGatewayError, GatewayError } from "../domain/errors";
import type { Outside } from "../domain/outside";
import type { Measurement } from "../domain/probes";
import type { Route, Target } from "../domain/request";
import { unlessAborted } from "../domain/until";
import { type Assessed, apart, assess, isGiver } from "./assess";
import { differsByTask } from "./by-task";
import { claimOf } from "./claims";
import type { Fingerprints } from "./fingerprints";
import type { Knowledge } from "./knowledge";
import type { Measure } from "./measure";
import { adviceFor, heldBack, lastAgreed, notMeasured, renamed } from "./notices";
import type { RouteRecords } from "./records";
import { isSame } from "./serving";
import type { Measured, Outcome } from "./together";

export interface LookParts {
  readonly outside: Pick<Outside, "now" | "monotonic" | "alarm" | "log">;
  readonly measure: Measure;
  readonly fingerprints: Fingerprints;
  readonly records: Pick<RouteRecords, "put">;
  /** undefined: nothing is measured, so only first routes serve. */
  readonly everyMs: number | undefined;
  readonly deadlineMs: number;
}

/** A target that differs or could not be measured is checked again after this time, when a request needs it. */
const AGAIN_AFTER_MS = 30_000;
/**
 * @param turn resolves when the routes before it have been measured
 * @returns undefined if the gateway shuts down meanwhile
 */
export type Look = (route: Route, target: Target, turn: Promise<unknown>) => Promise<Outcome | undefined>;

/** @param closed fires when the gateway shuts down */
export function createLook(knowledge: Knowledge, parts: LookParts, closed: Ending): Look {
  const { claims, standings, served, answers, lookUp } = knowledge;
  const { fingerprints, records, outside, measure, everyMs, deadlineMs } = parts;

  const byTaskParts = {
    measure,
    fingerprints,
    find: lookUp,
    now: outside.now,
    forget: standings.forget,
    claims,
  };

  function decides(route: Route, target: Target): boolean {
    const earlier = route.targets.slice(0, route.targets.indexOf(target));
    return !earlier.some((one) => standings.of(claims.spaceOf(route), one).verdict === "agrees");
  }

  function assessed(route: Route, target: Target, vectors: Measurement): Assessed {
    return assess(route, target, vectors, {
      find: lookUp,
      current: claims.spaceOf(route),
      decides: decides(route, target),
      isRivals: (fingerprint) => claims.isRivals(fingerprint, route),
    });
  }

  async function done(one: Assessed, route: Route, target: Target, vectors: Measurement): Promise<Assessed> {
    const { act, space } = one;
    if (act === "none") return one;
    if (act === "confirm") await fingerprints.confirm(space);
    else {
      if (act === "replace") await fingerprints.forget(space);
      const kept = await fingerprints.keep({
        space,
        vectors,
        dimensions: vectors.find((vector) => vector)?.length ?? 0,
        provider: target.provider.name,
        model: target.model,
        measuredAt: outside.now(),
        paidAt: route.isNamed ? null : (answers.get(space) ?? 0),
        // The operator listed this route first, so it needs no confirmation.
        confirmed: target === route.targets[0],
      });
      // Another model or another process may have been faster.
      if (!isGiver(kept, target)) return done(assessed(route, target, vectors), route, target, vectors);
    }
    lookUp(space);
    return one;
  }

  /** Another route has already served vectors of this space: only that route can define the space. */
  function refuseToSpeakFor({ act, space }: Assessed, target: Target): void {
    const by = served.get(space);
    if (act !== "keep" || by === undefined || isSame(by, target)) return;
    throw new GatewayError(
      "unavailable",
      `The route ${by.provider.name} has served requests but could not be measured yet.`,
    );
  }

  async function outcomeOf(seen: Assessed, route: Route, target: Target): Promise<Outcome> {
    const { agrees, space, claimed } = seen;
    const { least: cosine, byKind, says } = agrees ? (claimed ?? seen.comparison) : seen.comparison;
    const outOfService = !agrees && (target !== route.targets[0] || route.onDrift === "stop");
    const { hasAgreed, agreedAt } = standings.of(space, target);
    const { provider, model } = about(route, target);
    await records.put({
      claim: claimOf(route),
      claimed: route.space,
      provider,
      model,
      space,
      serves: !outOfService,
      cosine,
      cosines: byKind,
      says,
      measuredAt: outside.now(),
    });
    const unlike = claimed ? renamed(route.space, space, cosine, says) : says;
    const message = agrees
      ? unlike
      : `${says}. ${agreedAt === undefined ? "" : lastAgreed(agreedAt)}What to do: ${adviceFor(seen, hasAgreed)}.`;
    if (outOfService) await noteDrift(space, target);
    const forMs = agrees ? (everyMs ?? 0) : AGAIN_AFTER_MS;
    return { cosine, failed: false, agrees, outOfService, space, message, forMs };
  }

  async function withTasks(placed: Assessed, route: Route, target: Target, over: Ending): Promise<Assessed> {
    if (!placed.agrees) return placed;
    return (await differsByTask(placed, route, target, over, byTaskParts)) ?? placed;
  }

  /** What the route answered between its last agreement and now is in the cache: nothing cached before is found again. */
  async function noteDrift(space: string, target: Target): Promise<void> {
    const { verdict, hasAgreed } = standings.of(space, target);
    const fingerprint = lookUp(space);
    if (verdict === "differs" || fingerprint === undefined) return;
    // A route that never agreed has answered nobody.
    if (hasAgreed || isGiver(fingerprint, target)) await fingerprints.drifted(space, outside.now());
  }

  return async function look(
    route: Route,
    target: Target,
    turn: Promise<unknown>,
  ): Promise<Outcome | undefined> {
    const { over, done: ended } = endingWithin(outside, deadlineMs, closed, "The probe");
    try {
      let vectors = await measure(route, target, over);
      await unlessAborted(over, turn);
      let seen = assessed(route, target, vectors);
      // Measured twice before a route is stopped or its space renamed, since a single answer may be a fluke. A stopped route is not measured twice.
      const stops = !seen.agrees && standings.of(claims.spaceOf(route), target).verdict !== "differs";
      if (stops || seen.act === "replace" || seen.space !== claims.spaceOf(route)) {
        vectors = await measure(route, target, over);
        seen = assessed(route, target, vectors);
      }
      refuseToSpeakFor(seen, target);
      const placed = await done(seen, route, target, vectors);
      const compared = await withTasks(placed, route, target, over);
      if (compared.differsFrom !== "rival" || !decides(route, target))
        return await outcomeOf(compared, route, target);
      const own = apart(route, target, vectors, lookUp, compared.comparison);
      const placedApart = await done(own, route, target, vectors);
      return await outcomeOf(await withTasks(placedApart, route, target, over), route, target);
    } catch (thrown) {
      if (closed.aborted) return undefined;
      const error = asGatewayError(thrown);
      outside.log("warn", "an embedding space could not be measured", {
        ...shown(about(route, target), claims.spaceOf(route)),
        kind: error.kind,
        reason: error.inLog,
      });
      const message = target === route.targets[0] ? notMeasured(error.inLog) : heldBack(error.inLog);
      const space = claims.spaceOf(route);
      const nothing = { cosine: null, failed: true, agrees: false, outOfService: false };
      return { ...nothing, space, message, forMs: AGAIN_AFTER_MS };
    } finally {
      ended();
    }
  };
}

export const shown = ({ provider, model }: Measured, space: string) => ({ space, provider, model });

export function about(route: Route, { provider, model }: Target): Measured {
  return { claim: claimOf(route), space: route.space, provider: provider.name, model };
}
