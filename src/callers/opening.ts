/**
 * Whether a gateway may be open (serve without keys): what `serve` refuses when it starts, a reload refuses too, in the same words.
 * A new check of a configuration that only a gateway can make (not the file alone, src/config/) is a line of `refusalOf`.
 */

import type { GatewayConfig } from "../config/gateway-config";
import { GatewayError } from "../domain/errors";
import type { Outside } from "../domain/outside";
import { isLoopback } from "../domain/this-machine";
import type { Auth } from "./auth";
import type { Keys } from "./keys";

export interface Before {
  /** Where the gateway listens already, whatever the file says now: the address is taken once, at the start. */
  readonly hosts: readonly string[];
  /** Whether it has asked for credentials since it was started. */
  readonly asks: boolean;
}

export const AT_THE_START: Before = { hosts: [], asks: false };

/** @returns why the configuration cannot be served by; undefined where it can */
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

/** What a reload brings: that tokens are taken, and another first key. It serves on where either cannot be stored now. */
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
