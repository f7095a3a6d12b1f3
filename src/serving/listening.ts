/**
 * A gateway on its address: opened, listening, and what it says of itself to whoever started it.
 * Used by the one process that serves alone (alone.ts) and by each of several (src/processes/copy.ts).
 */
import http from "node:http";
import packageJson from "../../package.json";
import type { GatewayConfig } from "../config/gateway-config";
import { secondsOf } from "../domain/idle";
import type { Outside } from "../domain/outside";
import { HEAD_BYTES_MAX } from "../door/head";
import { createGateway, type Gateway } from "../gateway";
import { keepAlive } from "../machine/keep-alive";
import type { Place } from "../sharing/place";
import { cannotServe } from "./cannot-serve";
import { ASIDE } from "./configured";
import { watchDescriptors } from "./descriptors";

/** Bun would answer a larger body with a bare 413; the door's own check (src/door/body.ts) says it in the envelope. */
const REQUEST_BYTES_MAX = 2 ** 40;
/** So that the door's own check (src/door/head.ts) has a head to refuse; beyond, Bun answers a bare 431. */
const HEAD_BYTES_READ = 4 * HEAD_BYTES_MAX;

export interface ListeningGateway {
  readonly gateway: Gateway;
  readonly url: URL;
  /** Takes no more connections; resolves once those that are open have got their answers. */
  stop(cutOff?: boolean): Promise<void>;
  /** From now on it is somebody else's business whether the listener takes connections. */
  leaveListener(): void;
}

/**
 * @param shared where to listen beside other processes, and when; left out, it listens on the configuration's address, alone
 * @throws GatewayError as createGateway does, and where the address cannot be served on
 */
export async function listen(
  config: GatewayConfig,
  outside: Outside,
  place: Place,
  shared?: { readonly host: string; readonly port: number; readonly when: Promise<void> },
): Promise<ListeningGateway> {
  const { host, port } = shared ?? config.server;
  const gateway = await createGateway(config, outside, place, ASIDE);
  const { door } = gateway;
  // Bun takes this for the whole process only, and its types call it read-only.
  Object.assign(http, { maxHeaderSize: HEAD_BYTES_READ });
  await shared?.when;
  try {
    // Not shared unless asked for: a second gateway on the port must be told, not given half of the requests.
    door.listen({
      hostname: host,
      port,
      maxRequestBodySize: REQUEST_BYTES_MAX,
      idleTimeout: secondsOf(config.server.idle_timeout_ms),
      reusePort: shared !== undefined,
    });
  } catch (cause) {
    await gateway.close();
    throw cannotServe(host, port, cause);
  }
  keepAlive();
  const leaveListener = watchDescriptors(gateway.metrics, outside);
  return {
    gateway,
    url: door.server?.url ?? new URL(`http://${host}:${port}`),
    async stop(cutOff) {
      leaveListener();
      await door.server?.stop(cutOff);
    },
    leaveListener,
  };
}

/** @param processes how many serve on the address */
export function greeting({ gateway, url }: ListeningGateway, processes = 1): string {
  const base = url.href.replace(/\/$/, "");
  const models = gateway
    .routes()
    .list()
    .filter(({ embeddings }) => embeddings);
  const open = gateway.auth.isOpen();
  const lines = models.map(({ id, facts, providerName }) => {
    const size = facts?.dimensions === undefined ? "" : `, ${facts.dimensions} dimensions`;
    return `  ${id}  (${providerName}${size})`;
  });
  const key = open ? "" : " \\\n    -H 'authorization: Bearer YOUR_KEY'";
  const model = models[0]?.id ?? "MODEL";
  return [
    `embedgate ${packageJson.version} serves on ${base}${processes === 1 ? "" : ` with ${processes} processes`}`,
    "",
    models.length === 0 ? "No model: no provider of the routing file is configured." : "Models:",
    ...lines,
    "",
    open
      ? "Keys: none yet, so callers on this machine need none. 'embedgate keys create --name me' ends that."
      : "Keys: needed. 'embedgate keys create --name me' makes one.",
    `Docs: ${base}/swagger`,
    "",
    `  curl ${base}/v1/embeddings${key} \\`,
    "    -H 'content-type: application/json' \\",
    `    -d '{"model": "${model}", "input": "Hello, world"}'`,
    "",
  ].join("\n");
}
