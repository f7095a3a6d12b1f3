/**
 * Which targets may serve a route: those whose vectors were measured to be in its space. No timer runs here: measurements start with
 * the gateway if a model has several routes, and otherwise with requests, so an unused model costs nothing.
 * The first measurement of a space is its fingerprint, in the database. A route that differs is taken out of service, with an error in the log.
 * look.ts and assess.ts interpret a measurement; serving.ts decides who may serve.
 */

import { Ending, type EndSignal } from "../domain/ending";
import { GatewayError } from "../domain/errors";
import type { Fingerprint } from "../domain/fingerprint";
import { countLengths } from "../domain/lengths";
import type { Route, Target } from "../domain/request";
import { NOTHING_TO_DO, unlessAborted } from "../domain/until";
import { isGiver } from "./assess";
import { tasksToCompare } from "./by-task";
import { openChecks } from "./checks";
import { claimOf } from "./claims";
import { createKnowledge } from "./knowledge";
import { about, createLook, type LookParts, shown } from "./look";
import { notUsedYet, provisional, type SpaceNotice } from "./notices";
import { notMeasuredYet } from "./pin";
import { isSame, isVerified, mayServe } from "./serving";
import { isDue, type Named, remember } from "./standings";
import type { Measured, Outcome, Together } from "./together";

export interface Spaces {
  /**
   * Whether a target of the route may serve.
   * @param isForced the caller forces this target: then it is enough that it is not known to differ
   */
  mayServe(route: Route, target: Named, isForced: boolean): boolean;
  /** The space of the model's vectors, as far as measured; unverified: only one of several routes was measured. */
  placeOf(route: Route): { readonly space: string; readonly isVerified: boolean };
  /**
   * Starts the measurements that are due, and waits for at most one: the first check since the start of a route in a known space, or of the
   * target that a caller forces. Hold the request's cost before this call: measurements are made only for callers who can pay.
   * @throws GatewayError; the signal's reason
   */
  ready(route: Route, signal: EndSignal, budget: Budget, forced?: Named): Promise<void>;
  /**
   * For a route that may not serve now: starts another check of targets that were found to be in another space, if one is due.
   * @returns whether a target has not been measured yet and so may be able to serve later
   */
  lookAgain(route: Route): boolean;
  /** Called after an answer: a space that was never measured is measured now, since its provider works and its id is paid for. */
  answered(route: Route, providers: ReadonlySet<string>, budget: Budget): void;
  /**
   * Starts to measure the models that have several routes or share a space's name.
   * @param before the spaces of the previous configuration: routes that agreed there and have not changed are not measured again
   */
  start(routes: readonly Route[], before?: Pick<Spaces, "agreedOn">): void;
  /** For the route and target of that name here: undefined if it was not found to agree; otherwise how and when that was measured. */
  agreedOn(next: Route, named: Named): Agreement | undefined;
  /** Changes when a space gets another fingerprint, or a route drifts: vectors cached before must not be found again. */
  revision(space: string): string;
  driftedAt(space: string): number | undefined;
  notices(): readonly SpaceNotice[];
  /** Cancels what is in flight. */
  close(): Promise<void>;
}

/** Whether one more caller-chosen id may be measured for this caller now; if so, uses up one of them. */
export type Budget = () => boolean;

export interface Agreement {
  /** Equal if the fingerprint is the same and the routing file has not changed the route. */
  readonly by: string;
  /** On the monotonic clock. */
  readonly triedAt: number;
}

export interface SpacesParts extends LookParts {
  readonly together: Together;
  /** Least time between two quick checks of a route. */
  readonly checkEveryMs: number;
}

interface Looked {
  readonly route: Route;
  readonly target: Target;
  /** A quick check found other vectors. */
  readonly isSuspected?: boolean;
}

/** For a caller-chosen id, the time of the last payment is written at most once an hour. */
const PAID_EVERY_MS = 3_600_000;
/** How long the measurement of a later route waits for the routes before it to define the space. */
const PRECEDENCE_MS = 5_000;

export function openSpaces(parts: SpacesParts): Spaces {
  const { outside, everyMs, together } = parts;
  const knowledge = createKnowledge(parts.fingerprints);
  const { claims, standings, served, answers, fingerprintOf, lookUp, introduce } = knowledge;
  const measuring = new Set<Promise<unknown>>();
  const notices = new Map<string, SpaceNotice>();
  const closed = new Ending();
  const look = createLook(knowledge, parts, closed);

  /** The gateway does not end before this does. */
  function during<Work extends Promise<unknown>>(work: Work): Work {
    measuring.add(work);
    void work.finally(() => measuring.delete(work));
    return work;
  }

  async function measureTarget(
    { route, target, isSuspected = false }: Looked,
    turn: Promise<unknown>,
  ): Promise<void> {
    const what = { ...about(route, target), ...(isSuspected && { isSuspected }) };
    const asked = together.once(what, () => during(look(route, target, turn)));
    // A gateway that shuts down does not wait for another process's measurement. Its own measurement has a row in the ledger.
    const outcome = await unlessAborted(closed, asked).catch(() => undefined);
    if (outcome) take(what, outcome);
  }

  /** Applies the result of a measurement, ours or another process's. */
  function take(what: Measured, outcome: Outcome): void {
    const { provider, model } = what;
    const { space, failed, cosine } = outcome;
    const target = { provider: { name: provider }, model };
    const key = `${what.claim}\n${provider}\n${model}`;
    if (!failed) lookUp(space);
    const standing = standings.toChange(space, target);
    standing.triedAt = outside.monotonic();
    standing.failures = failed ? standing.failures + 1 : 0;
    if (failed || cosine === null) {
      if (claims.hasSeveralWays(what.claim) && standing.verdict === "unmeasured")
        notices.set(key, { ...shown(what, space), cosine, out_of_service: false, message: outcome.message });
      return;
    }
    if (outcome.agrees) claims.place(what.claim, space);
    judge(what, outcome, key);
  }

  function judge(what: Measured, outcome: Outcome, key: string): void {
    const { space, cosine, agrees, outOfService, message } = outcome;
    const { provider, model } = what;
    const standing = standings.toChange(space, { provider: { name: provider }, model });
    const before = standing.verdict;
    standing.verdict = agrees ? "agrees" : "differs";
    standing.hasAgreed ||= agrees;
    if (agrees) standing.agreedAt = outside.now();
    notices.delete(key);
    const told = { ...shown(what, space), cosine: cosine ?? -1, out_of_service: outOfService };
    if (!agrees) {
      notices.set(key, { ...told, message });
      outside.log("error", "a route's vectors differ from its embedding space", {
        ...shown(what, space),
        cosine,
        out_of_service: outOfService,
        says: message,
      });
      return;
    }
    if (before === "differs") outside.log("info", "a route is in its embedding space again", told);
    if (space === what.space) return;
    notices.set(key, { ...told, message });
    if (before !== "agrees")
      outside.log("warn", "a model's vectors differ from the embedding space that it claims", {
        ...told,
        says: message,
      });
  }

  /** All routes are measured at the same time, but earlier routes define the space before later ones. */
  function begin(list: readonly Looked[]): void {
    if (list.length === 0) return;
    const precedence = Promise.withResolvers<void>();
    const callOff = outside.alarm(PRECEDENCE_MS, precedence.resolve);
    const turns = new Map<string, Promise<unknown>>();
    for (const looked of list) {
      const { route, target } = looked;
      const standing = standings.toChange(claims.spaceOf(route), target);
      standing.triedAt = outside.monotonic();
      const turn = turns.get(route.space) ?? Promise.resolve();
      const one = closed.aborted ? Promise.resolve() : measureTarget(looked, turn);
      const ended = one.finally(() => {
        standing.underWay = undefined;
      });
      standing.underWay = ended;
      during(ended);
      turns.set(route.space, Promise.race([Promise.all([turn, ended]), precedence.promise]));
    }
    void Promise.all(turns.values()).then(callOff);
  }

  const checks = openChecks({
    ...parts,
    standings,
    everyMs: everyMs !== undefined && parts.checkEveryMs < everyMs ? parts.checkEveryMs : undefined,
    closed,
    during,
    suspect: (route, target) => begin([{ route, target, isSuspected: true }]),
  });
  const hearNoMore = together.hear(take);
  const standingOf = (route: Route, target: Named) => standings.of(claims.spaceOf(route), target);
  const isContested = (route: Route) => route.targets.length > 1 || claims.areSeveral(route.space);

  function dueOf(route: Route): readonly Looked[] {
    if (everyMs === undefined) return [];
    const now = outside.monotonic();
    const due = route.targets.filter((target) => isDue(standingOf(route, target), everyMs, now));
    return due.map((target) => ({ route, target }));
  }

  /** Keeps the fingerprint from being forgotten. Fingerprints of models in the routing file are kept for ever. */
  function notePaid({ isNamed }: Route, fingerprint: Fingerprint): void {
    const now = outside.now();
    const { space, paidAt } = fingerprint;
    if (paidAt === null || (!isNamed && now - paidAt < PAID_EVERY_MS)) return;
    const next = isNamed ? null : now;
    knowledge.note({ ...fingerprint, paidAt: next });
    const noted = parts.fingerprints
      .paid(space, next)
      .catch((cause: unknown) =>
        outside.log("warn", "the last use of an embedding space could not be stored", {
          space,
          cause: String(cause),
        }),
      )
      .finally(() => measuring.delete(noted));
    measuring.add(noted);
  }

  /** A model's only route that could not be measured, in a space that another model has or claims. */
  function isSupposed(route: Route, space: string, fingerprint: Fingerprint | undefined): boolean {
    const [first, ...others] = route.targets;
    if (others.length > 0 || standings.of(space, first).verdict !== "unmeasured") return false;
    return fingerprint ? !isGiver(fingerprint, first) : isContested(route);
  }

  /** If nothing is known about a space, the first route that is measured may serve. */
  async function untilAnyIsKnown(route: Route, signal: EndSignal): Promise<void> {
    const looks = route.targets.flatMap((target) => standingOf(route, target).underWay ?? []);
    const known = looks.map(async (one) => {
      await one;
      if (fingerprintOf(claims.spaceOf(route)) === undefined) throw new Error("not by this one");
    });
    await unlessAborted(
      signal,
      Promise.any(known).catch(() => undefined),
    );
  }

  async function readyToServe(
    ...[route, signal, budget, forced]: Parameters<Spaces["ready"]>
  ): Promise<void> {
    introduce(route);
    const [first] = route.targets;
    const fingerprint = fingerprintOf(claims.spaceOf(route));
    if (fingerprint) seedLengths(route, fingerprint);
    // Never measured, and the only route: there is nothing to compare with. Its first answer need not wait for the measurement, unless that
    // is needed to see whether its vectors have length 1.
    const isOfUnknownLength = route.isNamed && first.facts.normalized === undefined;
    const mayWait = fingerprint === undefined && !isContested(route) && !isOfUnknownLength;
    const due = mayWait && standingOf(route, first).triedAt === undefined ? [] : dueOf(route);
    // A caller-chosen id is measured after its first answer; only a request that forces another route needs the measurement before.
    const isMadeUp = !route.isNamed && fingerprint === undefined;
    const waitsFor = forced && !isSame(forced, first) ? standingOf(route, forced) : undefined;
    const isNeeded = waitsFor?.verdict === "unmeasured" && waitsFor.underWay === undefined;
    if (isMadeUp && isNeeded && due.length > 0 && !budget()) throw notMeasuredYet(route);
    if (!isMadeUp || isNeeded) begin(due);
    const { verdict, failures, underWay } = standingOf(route, first);
    const isFirstLook = verdict === "unmeasured" && failures === 0 && underWay !== undefined;
    if (isFirstLook && (fingerprint !== undefined || route.targets.length === 1)) {
      if (!mayWait) await unlessAborted(signal, underWay);
    } else if (isFirstLook && route.unmeasured === "serve") await untilAnyIsKnown(route, signal);
    const insisted = forced && standingOf(route, forced);
    if (insisted?.verdict === "unmeasured" && insisted.underWay)
      await unlessAborted(signal, insisted.underWay);
  }

  return {
    mayServe(route, target, isForced) {
      if (everyMs === undefined) return isForced || isFirst(route, target);
      const space = claims.spaceOf(route);
      return mayServe({
        route,
        target,
        isTrusted: isForced || isFirst(route, target),
        verdict: standings.of(space, target).verdict,
        fingerprint: fingerprintOf(space),
        servedBy: served.get(space),
      });
    },
    placeOf(route) {
      const space = claims.spaceOf(route);
      if (everyMs === undefined || isOwn(route)) return { space, isVerified: true };
      const fingerprint = fingerprintOf(space);
      return { space, isVerified: isVerified(route, fingerprint) && !isSupposed(route, space, fingerprint) };
    },
    ready: (route, ...more) =>
      everyMs === undefined || isOwn(route) ? NOTHING_TO_DO : readyToServe(route, ...more),
    lookAgain(route) {
      introduce(route);
      const verdicts = route.targets.map((target) => standingOf(route, target).verdict);
      if (everyMs !== undefined)
        begin(dueOf(route).filter(({ target }) => standingOf(route, target).verdict === "differs"));
      return verdicts.includes("unmeasured");
    },
    answered(route, providers, budget) {
      if (everyMs === undefined || closed.aborted || isOwn(route)) return;
      const [first] = route.targets;
      const space = claims.spaceOf(route);
      const by = route.targets.find(({ provider }) => providers.has(provider.name));
      // Once there is a fingerprint, only the route that it came from is called. Requests that started earlier do not count.
      const fingerprint = fingerprintOf(space);
      if (by && !served.has(space) && fingerprint === undefined) remember(served, space, by);
      if (!route.isNamed) remember(answers, space, outside.now());
      if (fingerprint) {
        notePaid(route, fingerprint);
        checks.answered(route, providers, fingerprint);
      } else if (!route.isNamed) {
        const due = dueOf(route);
        if (due.length > 0 && budget()) begin(due);
        return;
      }
      if (standingOf(route, first).triedAt === undefined) begin([{ route, target: first }]);
    },
    start(routes, before) {
      if (everyMs === undefined) return;
      for (const route of routes) introduce(route);
      const contested = routes.filter((route) => isContested(route) && !isOwn(route));
      const one = new Map(contested.map((route) => [claimOf(route), route]));
      const all = [...one.values()].flatMap((route) => route.targets.map((target) => ({ route, target })));
      begin(all.filter(({ route, target }) => !isKept(route, target, before?.agreedOn(route, target))));
    },
    agreedOn(next, named) {
      const route = claims.all().find((one) => claimOf(one) === claimOf(next));
      const target = route?.targets.find((one) => isSame(one, named));
      if (!route || !target) return undefined;
      const { verdict, failures, triedAt } = standingOf(route, target);
      const isPlain = verdict === "agrees" && failures === 0 && claims.spaceOf(route) === route.space;
      const fingerprint = fingerprintOf(route.space);
      if (!isPlain || triedAt === undefined || fingerprint === undefined) return undefined;
      return { by: agreementOf(route, target, fingerprint, claims.all()), triedAt };
    },
    revision(space) {
      const { measuredAt = "", driftedAt } = fingerprintOf(space) ?? {};
      return driftedAt === undefined ? String(measuredAt) : `${measuredAt}.${driftedAt}`;
    },
    driftedAt: (space) => fingerprintOf(space)?.driftedAt,
    notices: () => [...notices.values(), ...claims.all().flatMap(notYetConfirmed)],
    async close() {
      hearNoMore();
      closed.abort(new GatewayError("cancelled", "The gateway is shutting down."));
      await Promise.all(measuring);
    },
  };

  /** Keeps a result from before a reload, if it is still valid. */
  function isKept(route: Route, target: Target, agreement: Agreement | undefined): boolean {
    const { space } = route;
    const fingerprint = agreement && claims.spaceOf(route) === space ? fingerprintOf(space) : undefined;
    if (!agreement || !fingerprint || agreementOf(route, target, fingerprint, claims.all()) !== agreement.by)
      return false;
    const { triedAt } = agreement;
    Object.assign(standings.toChange(space, target), { verdict: "agrees", hasAgreed: true, triedAt });
    return true;
  }

  /** Takes a target's vector lengths from the probe texts, if it has not answered this process yet. */
  function seedLengths(route: Route, fingerprint: Fingerprint): void {
    for (const { provider, model, facts } of route.targets) {
      if (facts.normalized !== undefined || !isGiver(fingerprint, { provider, model })) continue;
      const { lengthsSeen } = provider.healthOf(model);
      if (lengthsSeen.size > 0) continue;
      const lengths = fingerprint.vectors.flatMap((vector) => (vector ? [Math.hypot(...vector)] : []));
      countLengths(lengthsSeen, fingerprint.dimensions, lengths);
    }
  }

  function notYetConfirmed(route: Route): readonly SpaceNotice[] {
    const space = claims.spaceOf(route);
    const fingerprint = fingerprintOf(space);
    if (fingerprint === undefined || isVerified(route, fingerprint)) return [];
    const { provider, model } = fingerprint;
    const message = route.unmeasured === "refuse" ? notUsedYet(space) : provisional(space);
    return [{ space, provider, model, cosine: null, out_of_service: false, message }];
  }
}

function agreementOf(
  route: Route,
  target: Target,
  { measuredAt }: Fingerprint,
  models: readonly Route[],
): string {
  const { space, agreementMin } = route;
  const { provider, model, facts } = target;
  const tasks = tasksToCompare(route, target, models);
  return JSON.stringify([space, agreementMin, measuredAt, provider.configuration?.(model), facts, tasks]);
}

/** The built-in model, as the only route, cannot change unnoticed. */
const isOwn = ({ targets }: Route) => targets.length === 1 && targets[0].provider.isBuiltIn;

const isFirst = ({ targets: [first] }: Route, target: Named) => isSame(first, target);
