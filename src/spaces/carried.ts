/**
 * Fingerprints that come with the configuration; they override those in the database.
 */
import type { Fingerprint } from "../domain/fingerprint";
import type { Fingerprints } from "./fingerprints";

/** Nothing is written of a carried fingerprint: what drifted is remembered as long as the process runs, over reloads. */
const drifts = new WeakMap<Fingerprints, Map<string, number>>();

/** Carried fingerprints override the database's, because the operator set them. */
export function withCarried(kept: Fingerprints, carried: readonly Fingerprint[]): Fingerprints {
  const bySpace = new Map(carried.map((fingerprint) => [fingerprint.space, fingerprint]));
  const drifted = drifts.get(kept) ?? new Map<string, number>();
  drifts.set(kept, drifted);
  for (const [space, driftedAt] of drifted) {
    const fingerprint = bySpace.get(space);
    if (fingerprint) bySpace.set(space, { ...fingerprint, driftedAt });
  }
  return {
    find: (space) => bySpace.get(space) ?? kept.find(space),
    keep: async (fingerprint) => bySpace.get(fingerprint.space) ?? kept.keep(fingerprint),
    async confirm(space) {
      if (!bySpace.has(space)) await kept.confirm(space);
    },
    async paid(space, paidAt) {
      if (!bySpace.has(space)) await kept.paid(space, paidAt);
    },
    async drifted(space, driftedAt) {
      const fingerprint = bySpace.get(space);
      if (!fingerprint) return kept.drifted(space, driftedAt);
      drifted.set(space, driftedAt);
      bySpace.set(space, { ...fingerprint, driftedAt });
    },
    list: () => [...bySpace.values(), ...kept.list().filter(({ space }) => !bySpace.has(space))],
    forget: async (space) => !bySpace.has(space) && kept.forget(space),
  };
}
