/**
 * Which models claim which space, and where those lie that were measured to differ from another one that claims the same.
 */

import type { Fingerprint } from "../domain/fingerprint";
import type { Route } from "../domain/request";
import { isGiver } from "./assess";
import { remember } from "./standings";

export interface Claims {
  add(route: Route): void;
  all(): readonly Route[];
  /** Where the model lies, as far as was measured; else the space that it claims. */
  spaceOf(route: Route): string;
  place(claim: string, space: string): void;
  /** Whether several models claim a space. */
  areSeveral(space: string): boolean;
  hasSeveralWays(claim: string): boolean;
  /** Whether a fingerprint of the claimed space is another model's, not one that this one had before. */
  isRivals(fingerprint: Fingerprint, route: Route): boolean;
}

/** Several ids may be one model: what they claim and their first route are the same. */
export function claimOf({ space, targets: [first] }: Route): string {
  return `${space}\n${first.provider.name}\n${first.model}`;
}

export function createClaims(): Claims {
  const routes = new Map<string, Route>();
  const places = new Map<string, string>();
  return {
    add(route) {
      // The one with most routes represents all.
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
