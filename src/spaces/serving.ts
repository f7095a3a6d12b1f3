/**
 * Which routes may serve, by what was measured: pure rules. Two routes never serve together without having been compared.
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
  /** The model's first route, or one that a caller forces. */
  readonly isTrusted: boolean;
  readonly verdict: Standing["verdict"];
  /** The space's. */
  readonly fingerprint: Fingerprint | undefined;
  readonly servedBy: Named | undefined;
}

export function mayServe(candidate: Candidate): boolean {
  const { route, target, isTrusted, verdict, fingerprint, servedBy } = candidate;
  if (verdict === "differs") return isTrusted && route.onDrift === "warn";
  if (isVerified(route, fingerprint)) return verdict === "agrees" || isTrusted;
  if (route.unmeasured === "refuse") return isTrusted;
  // Only the route that gave it, also where another served before: another gateway on the database may have measured.
  if (fingerprint) return isGiver(fingerprint, target);
  return isTrusted && (servedBy === undefined || isSame(servedBy, target));
}

/** Whether the first route, or two routes, confirmed the space; or the model has one route only. */
export function isVerified({ targets }: Route, fingerprint: Fingerprint | undefined): boolean {
  return targets.length === 1 || fingerprint?.confirmed === true;
}

export const isSame = (one: Named, other: Named) =>
  one.provider.name === other.provider.name && one.model === other.model;
