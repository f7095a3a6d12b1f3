/**
 * What one generation of the gateway knows about its spaces, and when that becomes stale. standings.ts has what is known about routes,
 * claims.ts about models.
 */

import type { Fingerprint } from "../domain/fingerprint";
import type { Route } from "../domain/request";
import { ownSpace } from "./assess";
import { type Claims, claimOf, createClaims } from "./claims";
import type { Fingerprints } from "./fingerprints";
import type { Served } from "./serving";
import { createStandings, remember, type Standings } from "./standings";

export interface Knowledge {
  readonly claims: Claims;
  readonly standings: Standings;
  readonly served: Served;
  /** For spaces of caller-chosen ids: when a request for one was last answered. */
  readonly answers: Map<string, number>;
  /** Records a changed fingerprint before the database has it. */
  note(fingerprint: Fingerprint): void;
  /** As it was last looked up. @throws GatewayError database_unavailable */
  fingerprintOf(space: string): Fingerprint | undefined;
  /** Reads the database again: the fingerprint may have been forgotten, or kept by another process. @throws GatewayError database_unavailable */
  lookUp(space: string): Fingerprint | undefined;
  /** Called before a model's first measurement: results from before a restart still hold. @throws GatewayError database_unavailable */
  introduce(route: Route): void;
}

export function createKnowledge(fingerprints: Pick<Fingerprints, "find">): Knowledge {
  const standings = createStandings();
  const claims = createClaims();
  const known = new Map<string, Fingerprint | undefined>();
  const served: Served = new Map();
  const introduced = new Map<string, true>();
  return {
    claims,
    standings,
    served,
    answers: new Map(),
    note: (fingerprint) => remember(known, fingerprint.space, fingerprint),
    fingerprintOf(space) {
      if (!known.has(space)) remember(known, space, fingerprints.find(space));
      return known.get(space);
    },
    lookUp(space) {
      const before = known.get(space);
      const now = fingerprints.find(space);
      remember(known, space, now);
      // Agreement with the old fingerprint says nothing about the new one.
      if (before && before.measuredAt !== now?.measuredAt) {
        standings.forget(space);
        served.delete(space);
      }
      return now;
    },
    introduce(route) {
      const claim = claimOf(route);
      if (!introduced.has(claim)) {
        remember(introduced, claim, true);
        const own = ownSpace(route, fingerprints.find);
        if (own !== undefined) claims.place(claim, own);
      }
      // The number of caller-chosen ids is unlimited: they are compared with the routing file's spaces, not with each other.
      if (route.isNamed) claims.add(route);
    },
  };
}
