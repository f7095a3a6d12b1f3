/**
 * Opens the routing file's `shared` servers: a link for the rate limits and one for the cache, each with its own connection, on one server
 * or on two. The gateway starts without them too.
 * A further thing that machines share is opened here, and closed before its link.
 */
import type { SharedConfig } from "../config/gateway-config";
import type { Outside } from "../domain/outside";
import { type FailureReason, type Link, openLink, type Use } from "./link";
import { type Names, namesOf } from "./names";
import { policyWarning } from "./policy";
import { openPulse, type Pulse } from "./pulse";

export interface Shared {
  readonly limits: (SharedServer & { readonly pulse: Pulse }) | undefined;
  readonly cache: SharedServer | undefined;
  /** Which of them have an open circuit breaker. */
  states(): readonly { readonly use: Use; readonly isOpen: boolean }[];
  close(): Promise<void>;
}

export interface SharedServer {
  readonly link: Link;
  readonly names: Names;
}

/** @param machine the same for all processes of one machine, and different on every other @param failed called at each failure */
export async function openShared(
  { limits, cache, name, secret }: SharedConfig,
  machine: string,
  outside: Outside,
  failed: (use: Use, reason: FailureReason) => void,
): Promise<Shared> {
  const opened: SharedServer[] = [];
  async function open(use: Use, url: string | undefined): Promise<SharedServer | undefined> {
    if (url === undefined || outside.valkey === undefined) return undefined;
    const names = namesOf(name, secret ?? passwordOf(url));
    const client = await outside.valkey(url);
    const address = addressOf(url);
    const link = openLink({ use, client, address, probeKey: names.probe, outside, failed });
    void warnOfPolicy(use, link, address, outside);
    const server = { link, names };
    opened.push(server);
    return server;
  }
  const [limitsServer, cacheServer] = await Promise.all([open("limits", limits), open("cache", cache)]);
  await Promise.all(opened.map(({ link }) => link.begun));
  const pulse = limitsServer && openPulse(limitsServer.link, limitsServer.names, machine, outside);
  return {
    limits: limitsServer && pulse && { ...limitsServer, pulse },
    cache: cacheServer,
    states: () => [
      ...(limitsServer ? [{ use: "limits" as const, isOpen: !limitsServer.link.isUp() }] : []),
      ...(cacheServer ? [{ use: "cache" as const, isOpen: !cacheServer.link.isUp() }] : []),
    ],
    async close() {
      await pulse?.close();
      for (const { link } of opened) link.close();
    },
  };
}

async function warnOfPolicy(
  use: Use,
  link: Link,
  address: string,
  { log }: Pick<Outside, "log">,
): Promise<void> {
  await link.begun;
  const info = await link.call("INFO", ["memory"], (reply) =>
    reply instanceof Uint8Array ? Buffer.from(reply).toString() : undefined,
  );
  const reason = info === undefined ? undefined : policyWarning(use, info);
  if (reason !== undefined)
    log("warn", "shared server has another maxmemory policy", { use, address, reason });
}

const passwordOf = (url: string) => new URL(url.replace(/^valkey/, "redis")).password;

/** The URL without its secrets. */
export function addressOf(url: string): string {
  const { host, pathname } = new URL(url.replace(/^valkey/, "redis"));
  return `${url.slice(0, url.indexOf(":"))}://${host}${pathname}`;
}
