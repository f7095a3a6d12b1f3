/**
 * Who asks, before anything else: the key's workspace, or in open mode nobody in particular, but only from this machine.
 * A new way to prove who one is (JWT) is another branch of `identify`.
 */
import type { GatewayConfig } from "./config/gateway-config";
import type { Caller } from "./domain";
import { GatewayError } from "./errors";
import { DEFAULT_WORKSPACE, type Keys } from "./keys";

export interface Auth {
  /** Whether callers need no key now. A key made meanwhile, by any process, ends it. */
  isOpen(): boolean;
  /** @throws GatewayError no_key | wrong_key | forbidden */
  identify(request: Request): Caller;
  /** Who may do what is for those who run the gateway: an admin's key, or anybody in open mode. @throws GatewayError as identify does */
  identifyAdmin(request: Request): Caller;
}

/** @param settings as they are now: a reload may change them */
export function openAuth(settings: () => GatewayConfig["auth"], keys: Keys): Auth {
  const isOpen = () => {
    const { mode, jwt } = settings();
    return mode === "open" || (mode === "auto" && jwt === undefined && !keys.everMade());
  };
  const identified = (request: Request): Caller & { readonly isAdmin: boolean } => {
    const secret = bearerOf(request.headers);
    const known = secret === undefined ? undefined : keys.find(secret);
    if (known) return known;
    if (isOpen()) {
      refuseWebPages(request);
      return { workspace: DEFAULT_WORKSPACE, keyId: null, isAdmin: true };
    }
    if (secret === undefined) {
      throw new GatewayError(
        "no_key",
        "You didn't provide an API key: send it in the header 'Authorization: Bearer KEY'. 'embedgate keys create' makes one.",
      );
    }
    throw new GatewayError(
      "wrong_key",
      "Incorrect API key provided: it is unknown, revoked, or was rotated out.",
    );
  };
  const callerOf = ({ workspace, keyId }: Caller): Caller => ({ workspace, keyId });
  return {
    isOpen,
    identify: (request) => callerOf(identified(request)),
    identifyAdmin(request) {
      const caller = identified(request);
      if (caller.isAdmin || isOpen()) return callerOf(caller);
      throw new GatewayError(
        "forbidden",
        "This needs an admin's key: 'embedgate keys create --admin' makes one.",
      );
    },
  };
}

/** Azure's SDK sends `api-key` where all others send a Bearer token. */
function bearerOf(headers: Headers): string | undefined {
  const authorization = headers.get("authorization");
  if (authorization === null) return headers.get("api-key") ?? undefined;
  return /^Bearer +(\S+) *$/i.exec(authorization)?.[1];
}

/**
 * In open mode a web page that the user happens to visit must not reach the gateway: neither by DNS rebinding (its own host name
 * in `Host`), nor by a plain POST, which needs no preflight and carries `Origin` or `Sec-Fetch-Site`.
 */
function refuseWebPages(request: Request): void {
  const host = request.headers.get("host") ?? new URL(request.url).host;
  if (!isLoopback(hostnameOf(host))) {
    throw new GatewayError(
      "forbidden",
      `Without keys the gateway answers only to loopback names, not to "${host.slice(0, 100)}". Make a key with 'embedgate keys create'.`,
    );
  }
  const origin = request.headers.get("origin");
  if (origin !== null && origin !== `http://${host}` && origin !== `https://${host}`) {
    throw new GatewayError(
      "forbidden",
      "Without keys the gateway does not answer other sites' web pages. Make a key with 'embedgate keys create'.",
    );
  }
  const site = request.headers.get("sec-fetch-site");
  if (site !== null && site !== "same-origin" && site !== "none") {
    throw new GatewayError(
      "forbidden",
      "Without keys the gateway does not answer other sites' web pages. Make a key with 'embedgate keys create'.",
    );
  }
}

function hostnameOf(host: string): string {
  return host.startsWith("[") ? host.slice(0, host.indexOf("]") + 1) : host.replace(/:\d+$/, "");
}

/** Names that lead to this machine only. `localhost.` and `127.1` do too, but no honest client writes them. */
export function isLoopback(hostname: string): boolean {
  const name = hostname.toLowerCase();
  return (
    name === "localhost" ||
    name === "[::1]" ||
    name === "::1" ||
    /^127\.\d{1,3}\.\d{1,3}\.\d{1,3}$/.test(name)
  );
}
