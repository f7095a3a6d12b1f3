/**
 * Credentials that expire: cached while fresh, fetched once for all waiting calls, and used until they expire where renewal fails.
 * The source of the credentials is the vendor's own (bedrock/credentials.ts, google-credentials.ts).
 */
import type { Host } from "../src/plugin";

/** In milliseconds since 1970. */
export interface Ending {
  /** From this time on new credentials are fetched. */
  readonly freshUntil: number;
  readonly expiresAt: number;
}

export interface Renewed<Held extends Ending> {
  /** @throws what `find` throws, where no held credentials are still valid */
  current(): Promise<Held>;
  /** The vendor refused the credentials: the next call finds new ones. */
  forget(): void;
}

export function renewed<Held extends Ending>(
  host: Pick<Host, "now">,
  find: () => Promise<Held>,
): Renewed<Held> {
  let held: Held | undefined;
  let pending: Promise<Held> | undefined;

  async function refreshed(): Promise<Held> {
    pending ??= find().finally(() => {
      pending = undefined;
    });
    try {
      held = await pending;
      return held;
    } catch (failure) {
      if (held && host.now() < held.expiresAt) return held;
      throw failure;
    }
  }

  return {
    current: async () => (held && host.now() < held.freshUntil ? held : refreshed()),
    forget() {
      held = undefined;
    },
  };
}
