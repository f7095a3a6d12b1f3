/**
 * A model at a provider that rests after a 429 rests for all machines: the others need not get a 429 of their own. What carries it between
 * them is passed in (src/valkey/pulse.ts); without one, each machine knows its own rests.
 */
import type { ConfiguredProvider } from "../config/gateway-config";
import type { Health } from "../domain/health";

export interface Rests {
  /** The latest time that any machine reported, on the monotonic clock; 0: not at all. */
  restsUntil(account: string): number;
  rest(account: string, until: number): void;
}

/** Whose limit it is: the same provider with another key is another account. Holds what is secret. */
export const accountOf = (
  { provider, options }: Pick<ConfiguredProvider, "provider" | "options">,
  model: string,
): string => JSON.stringify([provider.id, options, model]);

/** The same health with a shared rest: reads the longest of all machines, and publishes it where it grows. */
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
