/**
 * Which models claim which space, and the own space of each model that was measured to differ from another with the same claim.
 */

import type { Fingerprint } from "../domain/fingerprint";
import type { Route } from "../domain/request";
import { isGiver } from "./assess";
import { remember } from "./standings";

export interface Claims {
  add(route: Route): void;
  all(): readonly Route[];
  /** The model's space, as far as it was measured; otherwise the space that it claims. */
  spaceOf(route: Route): string;
  place(claim: string, space: string): void;
  /** Whether several models claim a space. */
  areSeveral(space: string): boolean;
  hasSeveralWays(claim: string): boolean;
  /** Whether a fingerprint of the claimed space came from another model, not from this one earlier. */
  isRivals(fingerprint: Fingerprint, route: Route): boolean;
}

/** Several ids count as one model if their claim and their first route are the same. */
export function claimOf({ space, targets: [first] }: Route): string {
  return `${space}\n${first.provider.name}\n${first.model}`;
}

export function createClaims(): Claims {
  const routes = new Map<string, Route>();
  const places = new Map<string, string>();
  return {
    add(route) {
      // The id with the most routes represents them all.
      const before = routes.get(claimOf(route));
      if (!before || before.targets.length < route.targets.length) remember(routes, claimOf(route), route);
    },
    all: () => [...routes.values()],
    spaceOf: (route) => places.get(claimOf(route)) ?? route.space,
    place: (claim, space) => remember(places, claim, space),
    areSeveral: (space) => [...routes.values()].filter((route) => route.space === space).length > 1,
    hasSeveralWays: (claim) => (routes.get(claim)?.targets.length ?? 0) > 1,
    isRivals(fingerprint, route) {
      if (fingerprint.source === "inside") return true;
      if (route.targets.some((target) => isGiver(fingerprint, target))) return false;
      return [...routes.values()].some(
        (other) =>
          other.space === route.space && other.targets.some((target) => isGiver(fingerprint, target)),
      );
    },
  };
}
