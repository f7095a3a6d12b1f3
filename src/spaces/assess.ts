/**
 * What one measurement of a route means: which space it was compared with, whether it is in that space, and how the space's fingerprint
 * must change. Nothing is written here; spaces.ts acts on the result.
 */

import type { Fingerprint } from "../domain/fingerprint";
import type { Measurement } from "../domain/probes";
import type { Route, Target } from "../domain/request";
import type { Fingerprints } from "./fingerprints";
import { type Comparison, compare } from "./verdict";

export interface Assessed {
  /** The space that it was compared with. */
  readonly space: string;
  readonly comparison: Comparison;
  readonly agrees: boolean;
  /**
   * keep: this is the space's first measurement. confirm: a second route agrees with the fingerprint. replace: this measurement is of an earlier
   * route than the fingerprint's, and no other route has confirmed the fingerprint.
   */
  readonly act: "none" | "keep" | "confirm" | "replace";
  /** If the model has its own space: the comparison with the space that it claims. */
  readonly claimed?: Comparison;
  /** What the fingerprint came from: this route itself earlier, another route of the model or of another model, a route that the model no longer has, or a file. */
  readonly differsFrom?: "itself" | "sibling" | "rival" | "former" | "carried";
}

export interface Known {
  readonly find: Fingerprints["find"];
  /** The space that the model is currently assigned to. */
  readonly current: string;
  /** No earlier route of the model is known to be in its space: this route defines the space. */
  readonly decides: boolean;
  /** Whether the fingerprint belongs to another model that claims the same space. */
  readonly isRivals: (fingerprint: Fingerprint) => boolean;
}

export function assess(route: Route, target: Target, vectors: Measurement, known: Known): Assessed {
  const { find, current, decides, isRivals } = known;
  if (!decides) return against(current, route, target, vectors, find);
  const claimed = against(route.space, route, target, vectors, find);
  const fingerprint = find(route.space);
  if (claimed.agrees || fingerprint === undefined || !isRivals(fingerprint)) return claimed;
  return apart(route, target, vectors, find, claimed.comparison);
}

/**
 * Two models that differ need two spaces: this one gets its own name, the same as before a restart if it had one.
 * @param claimed how it differs from the space that it claims
 */
export function apart(
  route: Route,
  target: Target,
  vectors: Measurement,
  find: Fingerprints["find"],
  claimed: Comparison,
): Assessed {
  const space = ownSpace(route, find) ?? freeName(route, target, find);
  return { ...against(space, route, target, vectors, find), claimed };
}

/** The model's own space from an earlier measurement, if it differs from the space that it claims. */
export function ownSpace(route: Route, find: Fingerprints["find"]): string | undefined {
  const names = route.targets.flatMap((target) => namesBeside(route.space, target));
  return names.find((name) => {
    const fingerprint = find(name);
    return fingerprint !== undefined && route.targets.some((target) => isGiver(fingerprint, target));
  });
}

/** Named after its provider; also after its name there if another model of that provider already has the name. */
function freeName(route: Route, target: Target, find: Fingerprints["find"]): string {
  const [short, long] = namesBeside(route.space, target);
  return find(short) === undefined ? short : long;
}

const namesBeside = (space: string, { provider, model }: Target): readonly [string, string] => [
  `${space}@${provider.name}`,
  `${space}@${provider.name}/${model}`,
];

function against(
  space: string,
  route: Route,
  target: Target,
  vectors: Measurement,
  find: Fingerprints["find"],
): Assessed {
  const fingerprint = find(space);
  const itself = { space, comparison: compare(vectors, vectors), agrees: true } as const;
  if (fingerprint === undefined) return { ...itself, act: "keep" };
  const comparison = compare(vectors, fingerprint.vectors);
  const index = route.targets.indexOf(target);
  const giver = route.targets.findIndex((one) => isGiver(fingerprint, one));
  const isOpen = !fingerprint.confirmed && giver !== index;
  if (isWithin(comparison, route, target))
    return { space, comparison, agrees: true, act: isOpen ? "confirm" : "none" };
  if (isOpen && giver > index && fingerprint.source === undefined) return { ...itself, act: "replace" };
  return {
    space,
    comparison,
    agrees: false,
    act: "none",
    differsFrom: whose(fingerprint, giver, index),
  };
}

/** Whether vectors that compare like this with the space's are in the space. */
export function isWithin(
  { least, isOtherLength }: Comparison,
  { agreementMin }: Pick<Route, "agreementMin">,
  { facts }: Pick<Target, "facts">,
): boolean {
  // If the gateway normalises the vectors, earlier lengths mean nothing.
  return least >= agreementMin && !(isOtherLength && facts.normalized !== true);
}

function whose({ source }: Fingerprint, giver: number, index: number): NonNullable<Assessed["differsFrom"]> {
  if (source === "carried") return "carried";
  if (giver === index) return "itself";
  return giver === -1 && source === undefined ? "former" : "sibling";
}

/** Whether the fingerprint came from this target. */
export function isGiver(
  fingerprint: Pick<Fingerprint, "provider" | "model">,
  target: { readonly provider: { readonly name: string }; readonly model: string },
): boolean {
  return fingerprint.provider === target.provider.name && fingerprint.model === target.model;
}
