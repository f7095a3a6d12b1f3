/**
 * Fingerprints that come with the configuration; they override those in the database.
 */
import type { Fingerprint } from "../domain/fingerprint";
import type { Fingerprints } from "./fingerprints";

/** Carried fingerprints override the database's, because the operator set them. */
export function withCarried(kept: Fingerprints, carried: readonly Fingerprint[]): Fingerprints {
  const bySpace = new Map(carried.map((fingerprint) => [fingerprint.space, fingerprint]));
  return {
    find: (space) => bySpace.get(space) ?? kept.find(space),
    keep: async (fingerprint) => bySpace.get(fingerprint.space) ?? kept.keep(fingerprint),
    async confirm(space) {
      if (!bySpace.has(space)) await kept.confirm(space);
    },
    async paid(space, paidAt) {
      if (!bySpace.has(space)) await kept.paid(space, paidAt);
    },
    list: () => [...bySpace.values(), ...kept.list().filter(({ space }) => !bySpace.has(space))],
    forget: async (space) => !bySpace.has(space) && kept.forget(space),
  };
}
