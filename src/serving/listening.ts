/**
 * A gateway on its address: opens it, listens, and prints the start message.
 * Used by a gateway with one process (alone.ts) and by each of several (src/processes/copy.ts).
 */
import http from "node:http";
import packageJson from "../../package.json";
import type { GatewayConfig } from "../config/gateway-config";
import type { CertificateAndKey } from "../domain/connection-options";
import { secondsOf } from "../domain/idle";
import type { Outside } from "../domain/outside";
import { HEAD_BYTES_MAX } from "../door/head";
import { createGateway, type Gateway } from "../gateway";
import { keepAlive } from "../machine/keep-alive";
import { ownCommand } from "../machine/own-command";
import { steerNoMore, steerTo } from "../machine/steering";
import type { Place } from "../sharing/place";
import { databaseName } from "../stores/open";
import { cannotServe } from "./cannot-serve";
import { ASIDE } from "./configured";
import { watchDescriptors } from "./descriptors";
import { keepGrouped, keepTrimmed } from "./upkeep";

/** Bun would answer a larger body with a bare 413; src/door/body.ts answers in the envelope. */
const REQUEST_BYTES_MAX = 2 ** 40;
/** Above the limit of src/door/head.ts, which answers in the envelope; beyond it, Bun answers a bare 431. */
const HEAD_BYTES_READ = 4 * HEAD_BYTES_MAX;

/** By then each connection in use was answered with `Connection: close`; idle ones are closed. */
export const LEAVING_MS = 11_000;

export interface ListeningGateway {
  readonly gateway: Gateway;
  readonly url: URL;
  /** Accepts no more connections; resolves once the open ones have got their answers. */
  stop(cutOff?: boolean): Promise<void>;
  /** New connections use another certificate from now on; open ones keep theirs. */
  renew(tls: CertificateAndKey): Promise<void>;
  /** From now on another part decides whether the listener accepts connections. */
  leaveListener(): void;
}

/**
 * @param shared where and when to listen together with other processes; left out: alone, on the configuration's address
 * @throws GatewayError like createGateway, and if it cannot listen on the address
 */
export async function listen(
  config: GatewayConfig,
  outside: Outside,
  place: Place,
  shared?: { readonly host: string; readonly port: number; readonly when: Promise<void> },
): Promise<ListeningGateway> {
  const { host, port } = shared ?? config.server;
  const { tls, idle_timeout_ms } = config.server;
  const gateway = await createGateway(config, outside, place, ASIDE);
  const { door } = gateway;
  // Bun has this setting for the whole process only, and its types say read-only.
  Object.assign(http, { maxHeaderSize: HEAD_BYTES_READ });
  await shared?.when;

  function serve(at: number, by: CertificateAndKey | undefined) {
    // Not shared unless requested: a second gateway on the port must fail, not get half of the requests.
    door.listen({
      hostname: host,
      port: at,
      // Bun's error page for developers would show a stack and the folder to every client.
      development: false,
      maxRequestBodySize: REQUEST_BYTES_MAX,
      idleTimeout: secondsOf(idle_timeout_ms),
      reusePort: shared !== undefined,
      ...(by && { tls: { cert: by.cert, key: by.key } }),
      // Amazon's SDKs for JavaScript and Java use it by default: with prior knowledge, or negotiated in TLS.
      http2: true,
    });
    keepAlive();
    return door.server;
  }

  let server: ReturnType<typeof serve>;
  try {
    server = serve(port, tls);
  } catch (cause) {
    await gateway.close();
    throw cannotServe(host, port, cause);
  }
  let retired: ReturnType<typeof serve> = null;
  let retiring = Promise.resolve();

  /** For a process that was replaced: closes once its clients have been told to reconnect. */
  async function retire(old: NonNullable<typeof retired>): Promise<void> {
    retired = old;
    const stay = gateway.underWay.leave();
    await outside.sleep(LEAVING_MS);
    void old.stop();
    retired = null;
    stay();
    steerNoMore();
  }

  await gateway.batches?.runner.start(place.begins);
  const leaveListener = watchDescriptors(gateway.metrics, outside);
  const endUpkeep = [keepTrimmed(gateway.upkeep, outside), keepGrouped(gateway.upkeep, outside)];
  const url = server?.url ?? new URL(`http://${host}:${port}`);
  // On a busy machine a start takes longer than keys may be old.
  await gateway.keys.ready?.();
  outside.log("info", "gateway started", {
    version: packageJson.version,
    address: url.origin,
    models: gateway.routes().list().length,
    database: databaseName(config.database),
    keys: gateway.asks() ? "required" : "not required",
  });
  return {
    gateway,
    url,
    async stop(cutOff) {
      leaveListener();
      for (const end of endUpkeep) end();
      await Promise.all([...(retired ? [retired.stop(cutOff)] : []), server?.stop(cutOff)]);
    },
    async renew(by) {
      await retiring;
      const old = server;
      // Bun cannot change a listener's certificate: a second listener is opened beside it, and then replaces it.
      const isShared = shared !== undefined;
      if (!isShared) void old?.stop();
      server = serve(old?.port ?? port, by);
      if (!isShared || old === null) return;
      steerTo(1, 1);
      retiring = retire(old);
    },
    leaveListener,
  };
}

/** @param processes how many processes serve on the address */
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
      ? `Keys: none yet, so callers on this machine need none. '${ownCommand()} keys create --name me' ends that.`
      : `Keys: needed. '${ownCommand()} keys create --name me' creates one.`,
    `Dashboard: ${base}/  Docs: ${base}/swagger`,
    "",
    `  curl ${base}/v1/embeddings${key} \\`,
    "    -H 'content-type: application/json' \\",
    `    -d '{"model": "${model}", "input": "Hello, world"}'`,
    "",
  ].join("\n");
}
