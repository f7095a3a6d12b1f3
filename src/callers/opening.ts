/**
 * Whether a gateway may be open (serve without keys): a reload refuses the same as a start, with the same message.
 * A new check of a configuration that needs a gateway (not only the file, src/config/) is a line of `refusalOf`.
 */

import type { GatewayConfig } from "../config/gateway-config";
import { GatewayError } from "../domain/errors";
import type { Outside } from "../domain/outside";
import { isLoopback } from "../domain/this-machine";
import type { Auth } from "./auth";
import type { Keys } from "./keys";

export interface Before {
  /** The address on which the gateway listens, whatever the file says now: it is fixed at the start. */
  readonly hosts: readonly string[];
  /** Whether it has required credentials since it was started. */
  readonly asks: boolean;
}

export const AT_THE_START: Before = { hosts: [], asks: false };

/** @returns why the configuration cannot be used; undefined if it can */
export function refusalOf(
  { auth: settings, server }: Pick<GatewayConfig, "auth" | "server">,
  auth: Pick<Auth, "isOpen">,
  before: Before,
): GatewayError | undefined {
  if (!auth.isOpen(settings)) return undefined;
  const reached = [server.host, ...before.hosts].find((host) => !isLoopback(host));
  if (reached !== undefined) {
    return new GatewayError(
      "forbidden",
      `${reached} can be reached from other machines, and no key exists: anybody could use your providers. ` +
        "Create a key first ('embedgate keys create --name me'), or serve on 127.0.0.1.",
    );
  }
  if (!before.asks) return undefined;
  return new GatewayError(
    "forbidden",
    "A reload cannot open the gateway: it has required keys or tokens since it started, and with this file it would require none. " +
      "Restart it to have it open, or put 'auth' back.",
  );
}

/** Applies what a reload brings: accepted tokens, and another first key. If one of them cannot be stored now, the gateway serves on. */
export function takeCredentials(
  { auth }: Pick<GatewayConfig, "auth">,
  before: GatewayConfig["auth"],
  keys: Pick<Keys, "tokensTaken" | "bootstrap">,
  { log }: Pick<Outside, "log">,
): void {
  if (auth.jwt)
    keys
      .tokensTaken()
      .catch((cause: unknown) =>
        log("error", "that JWTs are accepted could not be stored", { cause: String(cause) }),
      );
  const { bootstrapKeySha256: hash } = auth;
  if (hash === undefined || hash === before.bootstrapKeySha256) return;
  keys
    .bootstrap(hash)
    .catch((cause: unknown) =>
      log("error", "the key of auth.bootstrap_key_sha256 could not be stored", { cause: String(cause) }),
    );
}
