/**
 * Which routes may serve, by their measurements. Pure rules. Two routes never serve together unless they were compared.
 */

import type { Fingerprint } from "../domain/fingerprint";
import type { Route } from "../domain/request";
import { isGiver } from "./assess";
import type { Named, Standing } from "./standings";

/** By space: the one route that has served it while nothing was verified. */
export type Served = Map<string, Named>;

export interface Candidate {
  readonly route: Route;
  readonly target: Named;
  /** The model's first route, or a route that the caller forces. */
  readonly isTrusted: boolean;
  readonly verdict: Standing["verdict"];
  /** The fingerprint of the space. */
  readonly fingerprint: Fingerprint | undefined;
  readonly servedBy: Named | undefined;
}

export function mayServe(candidate: Candidate): boolean {
  const { route, target, isTrusted, verdict, fingerprint, servedBy } = candidate;
  if (verdict === "differs") return isTrusted && route.onDrift === "warn";
  if (isVerified(route, fingerprint)) return verdict === "agrees" || isTrusted;
  if (route.unmeasured === "refuse") return isTrusted;
  // Only the route that the fingerprint came from, even if another served before: another gateway on the database may have measured it.
  if (fingerprint) return isGiver(fingerprint, target);
  return isTrusted && (servedBy === undefined || isSame(servedBy, target));
}

/** Whether the first route or two routes confirmed the space, or the model has only one route. */
export function isVerified({ targets }: Route, fingerprint: Fingerprint | undefined): boolean {
  return targets.length === 1 || fingerprint?.confirmed === true;
}

export const isSame = (one: Named, other: Named) =>
  one.provider.name === other.provider.name && one.model === other.model;
