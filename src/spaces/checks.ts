/**
 * Quick checks between two measurements: a few short probe texts for a route in use, so that a model that was changed behind its name is found
 * within seconds, not with the next measurement. A check decides nothing: vectors that differ start a measurement (spaces.ts).
 */

import type { Ending } from "../domain/ending";
import { endingWithin } from "../domain/ending-within";
import type { Fingerprint } from "../domain/fingerprint";
import type { Outside } from "../domain/outside";
import { PROBES, type ProbeKind } from "../domain/probes";
import type { Route, Target } from "../domain/request";
import { isWithin } from "./assess";
import type { Measure } from "./measure";
import type { Standing, Standings } from "./standings";
import { compare } from "./verdict";

/** One short text of each, some 12 tokens: another model changes all of them, another tokenizer accents and Han, quantisation one word most. */
const KINDS: ReadonlySet<ProbeKind> = new Set(["numbers", "one word", "accents", "Han"]);
const CHECKED = PROBES.filter(
  ({ kind }, i) => KINDS.has(kind) && PROBES.findIndex((one) => one.kind === kind) === i,
);
/** A check comes after at least this many answers of the route: at most one call in twenty is a check, however rarely it is used. */
export const ANSWERS_MIN = 20;

export interface Checks {
  /** Called after an answer to which these providers contributed. */
  answered(route: Route, providers: ReadonlySet<string>, fingerprint: Fingerprint): void;
}

export interface ChecksParts {
  readonly outside: Pick<Outside, "now" | "monotonic" | "alarm" | "log">;
  readonly standings: Pick<Standings, "known">;
  readonly measure: Measure;
  /** Least time between two checks of a route by this process; undefined: there are none. */
  readonly everyMs: number | undefined;
  readonly deadlineMs: number;
  /** Fires when the gateway shuts down. */
  readonly closed: Ending;
  /** Keeps the gateway from ending before `work` has. */
  readonly during: (work: Promise<unknown>) => void;
  /** The vectors differ: measures the route. */
  readonly suspect: (route: Route, target: Target) => void;
}

export function openChecks(parts: ChecksParts): Checks {
  const { outside, standings, measure, everyMs, deadlineMs, closed, during, suspect } = parts;

  /** @returns undefined: the provider did not answer */
  async function agrees(
    route: Route,
    target: Target,
    { vectors }: Fingerprint,
  ): Promise<boolean | undefined> {
    const { over, done: ended } = endingWithin(outside, deadlineMs, closed, "The probe");
    try {
      const found = await measure(route, target, over, { texts: CHECKED });
      const inPlace = PROBES.map((probe) => found[CHECKED.indexOf(probe)]);
      return isWithin(compare(inPlace, vectors), route, target);
    } catch {
      // Says nothing about the vectors. The failed call is in the ledger and counts for the circuit breaker like every call.
      return undefined;
    } finally {
      ended();
    }
  }

  function check(route: Route, target: Target, standing: Standing, fingerprint: Fingerprint): void {
    standing.answers += 1;
    if (everyMs === undefined || standing.answers < ANSWERS_MIN || standing.underWay !== undefined) return;
    const now = outside.monotonic();
    const last = Math.max(standing.checkedAt ?? 0, standing.triedAt ?? 0);
    if (now - last < everyMs || closed.aborted) return;
    standing.answers = 0;
    standing.checkedAt = now;
    during(
      agrees(route, target, fingerprint).then((isSame) => {
        if (isSame === true) standing.agreedAt = outside.now();
        if (isSame !== false || standing.verdict !== "agrees" || closed.aborted) return;
        outside.log("warn", "a quick check found other vectors: the route is measured now", {
          space: fingerprint.space,
          provider: target.provider.name,
          model: target.model,
        });
        // Requests wait for the measurement, as for a first one.
        standing.verdict = "unmeasured";
        suspect(route, target);
      }),
    );
  }

  return {
    answered(route, providers, fingerprint) {
      if (everyMs === undefined) return;
      for (const target of route.targets) {
        if (!providers.has(target.provider.name)) continue;
        const standing = standings.known(fingerprint.space, target);
        if (standing?.verdict === "agrees") check(route, target, standing, fingerprint);
      }
    },
  };
}
