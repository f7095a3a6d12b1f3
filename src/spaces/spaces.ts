/**
 * Which targets may serve a route: those whose vectors were measured to lie in its space. No timer runs here: measurements are begun at
 * the start, where a model has several ways, and by the requests that come; what nobody asks for costs nothing.
 * The first measurement of a space is its fingerprint, in the database; who differs from it is out of service, loudly.
 */

import { Ending, type EndSignal } from "../domain/ending";
import { asGatewayError, GatewayError } from "../domain/errors";
import type { Outside } from "../domain/outside";
import type { Route, Target } from "../domain/request";
import { unlessAborted } from "../domain/until";
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
   * known from before, or at the one target that a caller insists on. What a request costs must be held before: a measurement is made
   * for those who pay. @throws GatewayError, the signal's reason
   */
  ready(route: Route, signal: EndSignal, budget: Budget, forced?: Named): Promise<void>;
  /**
   * Of a route that may not be served now: begins to look again at what was found to lie elsewhere, where that is due.
   * @returns whether a target was not measured yet, so that it may come to serve
   */
  lookAgain(route: Route): boolean;
  /** An answer has left: a space that was never measured is, now that its provider is known to work, and its id to be paid for. */
  answered(route: Route, budget: Budget): void;
  /** Begins to measure the models that have several ways. */
  start(routes: readonly Route[]): void;
  /** Changes when a space gets another fingerprint: vectors kept of the one before must not be found again. */
  revision(space: string): string;
  notices(): readonly SpaceNotice[];
  /** Ends what is under way. */
  close(): Promise<void>;
}

/** Whether one more id of the caller's own choice may be measured for it now; takes it, if so. */
export type Budget = () => boolean;

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

/** Of an id that a caller chose it is written down once an hour that it is paid for. */
const PAID_EVERY_MS = 3_600_000;

/** A target that differs, or could not be measured, is looked at again after this, when it is asked for. */
const AGAIN_AFTER_MS = 30_000;
const AGAIN_AFTER_MS_MAX = 600_000;

export function openSpaces(parts: SpacesParts): Spaces {
  const { fingerprints, outside, measure, everyMs, deadlineMs, together } = parts;
  const standings = new Map<string, Standing>();
  const known = new Map<string, Fingerprint | undefined>();
  const measuring = new Set<Promise<unknown>>();
  const notices = new Map<string, SpaceNotice>();
  /** Of ids that callers chose: when a request for one was last answered. */
  const answers = new Map<string, number>();
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

  const dueOf = (route: Route) => route.targets.filter((target) => isDue(standingOf(route.space, target)));

  /** So that it is not forgotten. What the routing file has come to name is kept for good. */
  function notePaid({ space, isNamed }: Route, fingerprint: Fingerprint): void {
    const now = outside.now();
    const { paidAt } = fingerprint;
    if (paidAt === null || (!isNamed && now - paidAt < PAID_EVERY_MS)) return;
    const next = isNamed ? null : now;
    remember(known, space, { ...fingerprint, paidAt: next });
    const noted = fingerprints
      .paid(space, next)
      .catch((cause: unknown) =>
        outside.log("warn", "an embedding space could not be noted as paid for", {
          space,
          cause: String(cause),
        }),
      )
      .finally(() => measuring.delete(noted));
    measuring.add(noted);
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
      paidAt: route.isNamed ? null : (answers.get(space) ?? 0),
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
    async ready(route, signal, budget, forced) {
      if (everyMs === undefined || isOwn(route)) return;
      const [first, ...others] = route.targets;
      const fingerprint = fingerprintOf(route.space);
      // Never measured, and one way only: nothing to compare with. Its first answer comes before its first measurement.
      const mayWait =
        others.length === 0 &&
        fingerprint === undefined &&
        standingOf(route.space, first).triedAt === undefined;
      const due = mayWait ? [] : dueOf(route);
      // An id that a caller made up comes to be measured with its first answer; only who insists on another way needs it before.
      const isMadeUp = !route.isNamed && fingerprint === undefined;
      const waitsFor = forced && !isSame(forced, first) ? standingOf(route.space, forced) : undefined;
      const isNeeded = waitsFor?.verdict === "unmeasured" && waitsFor.underWay === undefined;
      if (isMadeUp && isNeeded && due.length > 0 && !budget()) throw notMeasuredYet(route);
      if (due.length > 0 && (!isMadeUp || isNeeded)) begin(route, due);
      const { verdict, failures, underWay } = standingOf(route.space, first);
      const isFirstLook = fingerprint !== undefined && verdict === "unmeasured" && failures === 0;
      if (isFirstLook && underWay) await unlessAborted(signal, underWay);
      const insisted = forced && standingOf(route.space, forced);
      if (insisted?.verdict === "unmeasured" && insisted.underWay)
        await unlessAborted(signal, insisted.underWay);
    },
    lookAgain(route) {
      const standings = route.targets.map((target) => standingOf(route.space, target));
      if (everyMs !== undefined) {
        const due = dueOf(route).filter((target) => standingOf(route.space, target).verdict === "differs");
        if (due.length > 0) begin(route, due);
      }
      return standings.some(({ verdict }) => verdict === "unmeasured");
    },
    answered(route, budget) {
      if (everyMs === undefined || closed.aborted || isOwn(route)) return;
      const [first] = route.targets;
      if (!route.isNamed) remember(answers, route.space, outside.now());
      const fingerprint = known.get(route.space);
      if (fingerprint) notePaid(route, fingerprint);
      else if (!route.isNamed) {
        const due = dueOf(route);
        if (due.length > 0 && budget()) begin(route, due);
        return;
      }
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

const isSame = (one: Named, other: Named) =>
  one.provider.name === other.provider.name && one.model === other.model;

/** For clients that obey `Retry-After`. */
const MEASURE_AGAIN_MS = 10_000;

const notMeasuredYet = ({ id }: Route) =>
  new GatewayError(
    "rate_limited",
    `It is not known yet whether that provider's '${id.slice(0, 200)}' is the same model, and too many new model ids were asked for in a minute. Try again in a while, or leave the provider to the gateway.`,
    { retryAfterMs: MEASURE_AGAIN_MS },
  );

function about({ space }: Route, { provider, model }: Target) {
  return { space, provider: provider.name, model };
}
