/**
 * Servers whose API may be at one of several URLs (a `base_url` without a path): the URL is searched once in the background, when the gateway starts or
 * reloads; if that fails, the first call finds it. The URL found is logged.
 */
import { abortSignalOf, Ending } from "../domain/ending";
import { asGatewayError, GatewayError } from "../domain/errors";
import type { Outside } from "../domain/outside";
import type { ConfiguredUpstream } from "../domain/request";
import { addressFound, addressMissed, type SpaceNotice } from "../spaces/notices";

export interface Addresses {
  notices(): readonly SpaceNotice[];
  /** Cancels calls in flight. */
  close(): Promise<void>;
}

/** @param told URLs that were logged before, by provider: a reload does not log them again */
export function findAddresses(
  providers: Iterable<Pick<ConfiguredUpstream, "name" | "upstream">>,
  outside: Pick<Outside, "alarm" | "log">,
  told: Map<string, string>,
): Addresses {
  const closed = new Ending();
  const messages = new Map<string, string>();

  async function find(provider: string, address: NonNullable<ConfiguredUpstream["upstream"]["address"]>) {
    const { tried } = address;
    void address.found.then((url) => {
      messages.set(provider, addressFound(url));
      if (told.get(provider) === url) return;
      told.set(provider, url);
      outside.log("info", "provider's API found: base_url has no path", { provider, url, tried });
    });
    const over = new Ending();
    const unfollow = over.follow(closed);
    const callOff = outside.alarm(FIND_MS, () =>
      over.abort(new GatewayError("timeout", `It did not answer within ${FIND_MS} ms.`)),
    );
    try {
      await address.find(abortSignalOf(over));
    } catch (thrown) {
      if (closed.aborted) return;
      const { kind, inLog: reason } = asGatewayError(thrown);
      const isMissed = kind === "wrong_address";
      if (isMissed && !messages.has(provider)) messages.set(provider, addressMissed(tried, reason));
      outside.log(
        isMissed ? "error" : "warn",
        isMissed
          ? "provider's API not found at any of the URLs tried: set base_url with its path"
          : "provider's API could not be looked for at the start: the first call finds it",
        { provider, tried, kind, reason },
      );
    } finally {
      callOff();
      unfollow();
    }
  }

  const finding = [...providers].flatMap(({ name, upstream: { address } }) =>
    address ? [find(name, address)] : [],
  );
  return {
    notices: () =>
      [...messages].map(([provider, message]) => ({
        space: "",
        provider,
        model: "",
        cosine: null,
        out_of_service: false,
        message,
      })),
    async close() {
      closed.abort(new GatewayError("cancelled", "The gateway is shutting down."));
      await Promise.all(finding);
    },
  };
}

/** If a server takes longer than this to refuse an empty call, the first call finds its URL. */
const FIND_MS = 5_000;
