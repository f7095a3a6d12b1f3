/**
 * Which targets may serve a route: those whose vectors were measured to lie in its space. No timer runs here: measurements are begun at
 * the start, where a model has several ways, and by the requests that come; what nobody asks for costs nothing.
 * The first measurement of a space is its fingerprint, in the database; who differs from it is out of service, loudly.
 */

import type { Route, Target } from "../domain";
import { Ending, type EndSignal } from "../ending";
import { asGatewayError, GatewayError } from "../errors";
import type { Outside } from "../outside";
import { unlessAborted } from "../until";
import type { Fingerprint, Fingerprints } from "./fingerprints";
import { AGREEMENT_MIN, agreement } from "./probes";
import type { Measured, Outcome, Together } from "./together";

export interface SpaceNotice {
  readonly space: string;
  readonly provider: string;
  readonly model: string;
  /** The least cosine between a probe text's vector and the fingerprint's; -1 for another size. */
  readonly cosine: number;
  /** False where `on_drift: warn` lets it serve all the same. */
  readonly outOfService: boolean;
}

export interface Spaces {
  /**
   * Whether a target of the route may serve.
   * @param isTrusted the first way to a model, or one that a caller insists on: not known to lie elsewhere is enough
   */
  mayServe(space: string, target: Named, isTrusted: boolean, onDrift: "stop" | "warn"): boolean;
  /**
   * Begins the measurements that are due, and waits for one of them only: the first look, since the start, at a route whose space is
   * known from before, or at the one target that a caller insists on. @throws GatewayError, the signal's reason
   */
  ready(route: Route, signal: EndSignal, forced?: Named): Promise<void>;
  /** An answer has left: a space that was never measured is, now that its provider is known to work. */
  answered(route: Route): void;
  /** Begins to measure the models that have several ways. */
  start(routes: readonly Route[]): void;
  /** Changes when a space gets another fingerprint: vectors kept of the one before must not be found again. */
  revision(space: string): string;
  notices(): readonly SpaceNotice[];
  /** Ends what is under way. */
  close(): Promise<void>;
}

type Named = { readonly provider: { readonly name: string }; readonly model: string };

interface Standing {
  verdict: "unmeasured" | "agrees" | "differs";
  cosine: number;
  /** Of the last attempt, successful or not; undefined before the first. */
  triedAt: number | undefined;
  failures: number;
  /** While it is being measured. */
  underWay: Promise<void> | undefined;
}

const UNMEASURED: Readonly<Standing> = {
  verdict: "unmeasured",
  cosine: 1,
  triedAt: undefined,
  failures: 0,
  underWay: undefined,
};

/** Under a pattern callers choose the ids: what was looked at long ago is forgotten, and looked at again. */
const REMEMBERED_MAX = 10_000;

/**
 * Sends the probe texts through one target, on the way that requests take.
 * @returns a vector for each probe text, at the model's own size
 * @throws GatewayError as a request's calls do; the signal's reason
 */
export type Measure = (route: Route, target: Target, signal: EndSignal) => Promise<readonly Float32Array[]>;

export interface SpacesParts {
  readonly outside: Pick<Outside, "now" | "monotonic" | "alarm" | "log">;
  readonly measure: Measure;
  readonly fingerprints: Fingerprints;
  /** undefined: nothing is measured, so that only first routes serve. */
  readonly everyMs: number | undefined;
  readonly deadlineMs: number;
  readonly together: Together;
}

/** A target that differs, or could not be measured, is looked at again after this, when it is asked for. */
const AGAIN_AFTER_MS = 30_000;
const AGAIN_AFTER_MS_MAX = 600_000;

export function openSpaces(parts: SpacesParts): Spaces {
  const { fingerprints, outside, measure, everyMs, deadlineMs, together } = parts;
  const standings = new Map<string, Standing>();
  const known = new Map<string, Fingerprint | undefined>();
  const measuring = new Set<Promise<unknown>>();
  const notices = new Map<string, SpaceNotice>();
  const closed = new Ending();

  const keyOf = (space: string, { provider, model }: Named) => `${space}\n${provider.name}\n${model}`;

  const standingOf = (space: string, target: Named): Readonly<Standing> =>
    standings.get(keyOf(space, target)) ?? UNMEASURED;

  function standingToChange(space: string, target: Named): Standing {
    const standing = standings.get(keyOf(space, target)) ?? { ...UNMEASURED };
    remember(standings, keyOf(space, target), standing);
    return standing;
  }

  function fingerprintOf(space: string): Fingerprint | undefined {
    if (!known.has(space)) remember(known, space, fingerprints.find(space));
    return known.get(space);
  }

  function isDue({ verdict, triedAt, failures }: Standing): boolean {
    if (everyMs === undefined) return false;
    if (triedAt === undefined) return true;
    const again = Math.min(AGAIN_AFTER_MS * 2 ** Math.max(0, failures - 1), AGAIN_AFTER_MS_MAX);
    const wait = verdict === "agrees" && failures === 0 ? everyMs : Math.min(again, everyMs);
    return outside.monotonic() - triedAt >= wait;
  }

  /** Compares with what the database has now: somebody may have had the fingerprint forgotten meanwhile. */
  async function compared(
    route: Route,
    target: Target,
    vectors: readonly Float32Array[],
  ): Promise<number | undefined> {
    const { space } = route;
    remember(known, space, fingerprints.find(space));
    const fingerprint = fingerprintOf(space);
    if (fingerprint) return agreement(vectors, fingerprint.vectors);
    // Only a route's first target says what its space is.
    if (target !== route.targets[0]) return undefined;
    const kept = await fingerprints.keep({
      space,
      vectors,
      dimensions: vectors[0]?.length ?? 0,
      provider: target.provider.name,
      model: target.model,
      measuredAt: outside.now(),
    });
    remember(known, space, kept);
    return agreement(vectors, kept.vectors);
  }

  /** @returns undefined where the gateway ends meanwhile */
  async function look(route: Route, target: Target): Promise<Outcome | undefined> {
    const over = new Ending();
    const unfollow = over.follow(closed);
    const callOff = outside.alarm(deadlineMs, () =>
      over.abort(new GatewayError("deadline", `The probe was not answered within ${deadlineMs} ms.`)),
    );
    try {
      let cosine = await compared(route, target, await measure(route, target, over));
      // Once more before anything is stopped: one answer may have been a slip.
      if (cosine !== undefined && cosine < AGREEMENT_MIN)
        cosine = await compared(route, target, await measure(route, target, over));
      const agrees = cosine === undefined || cosine >= AGREEMENT_MIN;
      return {
        cosine: cosine ?? null,
        failed: false,
        outOfService: !agrees && (target !== route.targets[0] || route.onDrift === "stop"),
        forMs: agrees ? (everyMs ?? 0) : AGAIN_AFTER_MS,
      };
    } catch (thrown) {
      if (closed.aborted) return undefined;
      const error = asGatewayError(thrown);
      outside.log("warn", "an embedding space could not be measured", {
        ...about(route, target),
        kind: error.kind,
        reason: error.message,
      });
      return { cosine: null, failed: true, outOfService: false, forMs: AGAIN_AFTER_MS };
    } finally {
      callOff();
      unfollow();
    }
  }

  async function measureTarget(route: Route, target: Target): Promise<void> {
    const what = about(route, target);
    const asked = together.once(what, () => {
      const own = look(route, target);
      measuring.add(own);
      void own.finally(() => measuring.delete(own));
      return own;
    });
    // Another process's measurement is not waited for when the gateway ends; our own has a row in the ledger.
    const outcome = await unlessAborted(closed, asked).catch(() => undefined);
    if (outcome) take(what, outcome);
  }

  /** What came of a measurement, ours or another process's. */
  function take(what: Measured, { cosine, failed, outOfService }: Outcome): void {
    const { space, provider, model } = what;
    const standing = standingToChange(space, { provider: { name: provider }, model });
    standing.triedAt = outside.monotonic();
    standing.failures = failed ? standing.failures + 1 : 0;
    if (failed) return;
    // It may be the first of its space, or the first after the last was forgotten.
    remember(known, space, fingerprints.find(space));
    if (cosine !== null) judge(what, standing, cosine, outOfService);
  }

  function judge(what: Measured, standing: Standing, cosine: number, outOfService: boolean): void {
    const { space, provider, model } = what;
    const key = keyOf(space, { provider: { name: provider }, model });
    const before = standing.verdict;
    standing.cosine = cosine;
    standing.verdict = cosine >= AGREEMENT_MIN ? "agrees" : "differs";
    if (standing.verdict === "agrees") {
      notices.delete(key);
      if (before === "differs")
        outside.log("info", "a route is in its embedding space again", { ...what, cosine });
      return;
    }
    notices.set(key, { ...what, cosine, outOfService });
    outside.log("error", "a route's vectors do not lie in its embedding space", {
      ...what,
      cosine,
      out_of_service: outOfService,
      advice: `where the model was changed on purpose, 'embedgate spaces forget ${space}' takes it as it is now; vectors stored before are of another space`,
    });
  }

  /** One after the other: what a space is must be known before another target is compared with it. */
  function begin(route: Route, targets: readonly Target[]): void {
    const begun = (async () => {
      for (const target of targets) {
        if (!closed.aborted) await measureTarget(route, target);
        standingToChange(route.space, target).underWay = undefined;
      }
    })();
    measuring.add(begun);
    void begun.finally(() => measuring.delete(begun));
    for (const target of targets) {
      const standing = standingToChange(route.space, target);
      standing.triedAt = outside.monotonic();
      standing.underWay = begun;
    }
  }

  const hearNoMore = together.hear(take);

  return {
    mayServe(space, target, isTrusted, onDrift) {
      const { verdict } = standingOf(space, target);
      if (isTrusted) return verdict !== "differs" || onDrift === "warn";
      return verdict === "agrees";
    },
    async ready(route, signal, forced) {
      if (everyMs === undefined || isOwn(route)) return;
      const [first, ...others] = route.targets;
      const fingerprint = fingerprintOf(route.space);
      // Never measured, and one way only: nothing to compare with. Its first answer comes before its first measurement.
      const mayWait = others.length === 0 && fingerprint === undefined;
      const due = route.targets.filter((target) => isDue(standingOf(route.space, target)));
      if (due.length > 0 && !(mayWait && standingOf(route.space, first).triedAt === undefined))
        begin(route, due);
      const { verdict, failures, underWay } = standingOf(route.space, first);
      const isFirstLook = fingerprint !== undefined && verdict === "unmeasured" && failures === 0;
      if (isFirstLook && underWay) await unlessAborted(signal, underWay);
      const insisted = forced && standingOf(route.space, forced);
      if (insisted?.verdict === "unmeasured" && insisted.underWay)
        await unlessAborted(signal, insisted.underWay);
    },
    answered(route) {
      if (everyMs === undefined || closed.aborted || isOwn(route)) return;
      const [first] = route.targets;
      if (standingOf(route.space, first).triedAt === undefined) begin(route, [first]);
    },
    start(routes) {
      if (everyMs === undefined) return;
      for (const route of routes) if (route.targets.length > 1) begin(route, route.targets);
    },
    revision: (space) => String(fingerprintOf(space)?.measuredAt ?? ""),
    notices: () => [...notices.values()],
    async close() {
      hearNoMore();
      closed.abort(new GatewayError("cancelled", "The gateway is shutting down."));
      await Promise.all(measuring);
    },
  };
}

/** A lone model that is part of the gateway cannot change behind its name. */
const isOwn = ({ targets }: Route) => targets.length === 1 && targets[0].provider.isBuiltIn;

function remember<Value>(map: Map<string, Value>, key: string, value: Value): void {
  map.set(key, value);
  const [oldest] = map.keys();
  if (map.size > REMEMBERED_MAX && oldest !== undefined) map.delete(oldest);
}

function about({ space }: Route, { provider, model }: Target) {
  return { space, provider: provider.name, model };
}
