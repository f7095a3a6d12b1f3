/**
 * A model that gets a pause after a 429 gets it on all machines: the others do not need a 429 of their own. The link between machines
 * is passed in (src/valkey/pulse.ts); without one, each machine knows only its own pauses.
 */
import type { ConfiguredProvider } from "../config/gateway-config";
import type { Health } from "../domain/health";

export interface Rests {
  /** The latest time that a machine reported, on the monotonic clock; 0: none. */
  restsUntil(account: string): number;
  rest(account: string, until: number): void;
}

/** Identifies the account whose limit it is: the same provider with another key is another account. Contains a secret. */
export const accountOf = (
  { provider, options }: Pick<ConfiguredProvider, "provider" | "options">,
  model: string,
): string => JSON.stringify([provider.id, options, model]);

/** The same health with a shared pause: reads the longest pause of all machines, and publishes its own when it grows. */
export function restingWithOthers(health: Health, rests: Rests, account: string): Health {
  let own = health.restsUntil;
  return Object.defineProperty(health, "restsUntil", {
    get: () => Math.max(own, rests.restsUntil(account)),
    set(until: number) {
      if (until <= Math.max(own, rests.restsUntil(account))) return;
      own = until;
      rests.rest(account, until);
    },
  });
}
