/**
 * What one generation of the gateway knows of its spaces, and when it becomes stale. What is known of routes is in standings.ts, of
 * models in claims.ts.
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
  /** By space, of ids that callers chose: when a request for one was last answered. */
  readonly answers: Map<string, number>;
  /** It is known to have changed so, before the database has it. */
  note(fingerprint: Fingerprint): void;
  /** As it was last looked up. @throws GatewayError database_unavailable */
  fingerprintOf(space: string): Fingerprint | undefined;
  /** What the database has now: someone may have had it forgotten, or another process kept one. @throws GatewayError database_unavailable */
  lookUp(space: string): Fingerprint | undefined;
  /** Before a model's first measurement: results from before the restart still hold. @throws GatewayError database_unavailable */
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
      // Agreement with the old fingerprint says nothing of the new one.
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
      // There may be any number of caller-chosen ids: they are compared with the routing file's spaces, not with each other.
      if (route.isNamed) claims.add(route);
    },
  };
}
