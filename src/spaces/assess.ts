/**
 * What one measurement of a route means: which space it was compared with, whether it is in it, and what to do about the
 * space's fingerprint. Nothing is written here; spaces.ts does what it says.
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
   * keep: it is the space's first. confirm: a second route agrees with the fingerprint. replace: an earlier route's measurement ranks
   * above a later one's that no other route has confirmed.
   */
  readonly act: "none" | "keep" | "confirm" | "replace";
  /** Where the model has a space of its own: how it compares with the one that it claims. */
  readonly claimed?: Comparison;
  /** Whose fingerprint it differs from: its own earlier one, that of another route of the model, or of a route that the model no longer has. */
  readonly differsFrom?: "itself" | "sibling" | "former" | "carried";
}

export interface Known {
  readonly find: Fingerprints["find"];
  /** The space that the model is taken to be in so far. */
  readonly current: string;
  /** No earlier route of the model is known to be in its space: this one says which space it is. */
  readonly decides: boolean;
  /** The fingerprint is another model's that claims the same space. */
  readonly isRivals: (fingerprint: Fingerprint) => boolean;
}

export function assess(route: Route, target: Target, vectors: Measurement, known: Known): Assessed {
  const { find, current, decides, isRivals } = known;
  if (!decides) return against(current, route, target, vectors, find);
  const claimed = against(route.space, route, target, vectors, find);
  const fingerprint = find(route.space);
  if (claimed.agrees || fingerprint === undefined || !isRivals(fingerprint)) return claimed;
  // Two models that differ are two spaces: this one gets its own name, the one from before a restart where there was one.
  const space = ownSpace(route, find) ?? freeName(route, target, find);
  return { ...against(space, route, target, vectors, find), claimed: claimed.comparison };
}

/** The space of its own that a model was measured to have before, beside the one that it claims. */
export function ownSpace(route: Route, find: Fingerprints["find"]): string | undefined {
  const names = route.targets.flatMap((target) => namesBeside(route.space, target));
  return names.find((name) => {
    const fingerprint = find(name);
    return fingerprint !== undefined && route.targets.some((target) => isGiver(fingerprint, target));
  });
}

/** By its provider; by its name there too, where another model of that provider was called so before. */
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
  // Where the gateway normalises, earlier lengths mean nothing.
  const isOtherLength = comparison.isOtherLength && target.facts.normalized !== true;
  if (comparison.least >= route.agreementMin && !isOtherLength)
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

function whose({ source }: Fingerprint, giver: number, index: number): NonNullable<Assessed["differsFrom"]> {
  if (source === "carried") return "carried";
  if (giver === index) return "itself";
  return giver === -1 && source === undefined ? "former" : "sibling";
}

/** Whether it was the target that gave the fingerprint. */
export function isGiver(
  fingerprint: Pick<Fingerprint, "provider" | "model">,
  target: { readonly provider: { readonly name: string }; readonly model: string },
): boolean {
  return fingerprint.provider === target.provider.name && fingerprint.model === target.model;
}
