/**
 * A model at a provider that rests after a 429 rests for all machines: what one was told, the others need not ask for. Who carries the word between
 * them is handed in (src/valkey/pulse.ts); without one, each machine knows its own rests.
 */
import type { ConfiguredProvider } from "../config/gateway-config";
import type { Health } from "../domain/health";

export interface Rests {
  /** Until when, by the word of any machine, on the monotonic clock; 0: not at all. */
  restsUntil(account: string): number;
  rest(account: string, until: number): void;
}

/** Whose limit it is: the same provider with another key is another account. Holds what is secret. */
export const accountOf = (
  { provider, options }: Pick<ConfiguredProvider, "provider" | "options">,
  model: string,
): string => JSON.stringify([provider.id, options, model]);

/** The same health, whose rest is everybody's: read as the longest that anybody has seen, and told where it grows. */
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
