/**
 * `embedgate serve`: opens the gateway on its address, says what it serves, and ends cleanly on a signal.
 */
import http from "node:http";
import packageJson from "../../package.json";
import type { GatewayConfig } from "../config/gateway-config";
import { createGateway, type Gateway } from "../gateway";
import { HEAD_BYTES_MAX } from "../head";
import { realOutside } from "../outside";
import { configured } from "./configured";
import { endGracefully } from "./ending";
import { reloadOnChange } from "./reloading";

interface ServeOptions {
  readonly config?: string;
  readonly host?: string;
  readonly port?: number;
}

/** Bun would answer a larger body with a bare 413; the door's own check (src/body.ts) says it in the envelope. */
const REQUEST_BYTES_MAX = 2 ** 40;
/** So that the door's own check (src/head.ts) has a head to refuse; beyond, Bun answers a bare 431. */
const HEAD_BYTES_READ = 4 * HEAD_BYTES_MAX;

/** What a shell makes of a process that a signal ended. */
const EXIT_CODES = { SIGINT: 130, SIGTERM: 143 } as const;

/** @returns the exit code, once a signal has ended the gateway */
export async function serve(options: ServeOptions): Promise<number> {
  const config = await load(options);
  if (!config) return 1;
  const { host, port } = config.server;
  const gateway = await createGateway(config, realOutside);
  // Bun takes this for the whole process only, and its types call it read-only.
  Object.assign(http, { maxHeaderSize: HEAD_BYTES_READ });
  try {
    // Not shared unless asked for: a second gateway on the port must be told, not given half of the requests.
    gateway.door.listen({ hostname: host, port, maxRequestBodySize: REQUEST_BYTES_MAX, reusePort: false });
  } catch (cause) {
    await gateway.close();
    const reason = cause instanceof Error ? cause.message : String(cause);
    console.error(`Cannot serve on ${host}:${port}: ${reason}`);
    return 1;
  }
  // Before the greeting: whoever reads it may send a signal at once.
  const stopWatching = reloadOnChange(gateway, () => load(options));
  const ended = endingSignal();
  const { door } = gateway;
  console.log(greeting(gateway, door.server?.url ?? new URL(`http://${host}:${port}`)));
  await ended;
  stopWatching();
  await endGracefully(gateway, { stop: async (cutOff) => door.server?.stop(cutOff) }, realOutside);
  // Whatever a plugin left behind must not keep a process that has ended.
  process.exit(0);
}

/** The routing file, with what the command line says of the address; undefined where it is wrong, and said so. */
async function load(options: ServeOptions): Promise<GatewayConfig | undefined> {
  const config = await configured(options.config);
  if (!config) return undefined;
  const { host = config.server.host, port = config.server.port } = options;
  return { ...config, server: { ...config.server, host, port } };
}

/** Resolves at the first signal. The second ends the process where it stands: what was acknowledged is in the ledger. */
function endingSignal(): Promise<void> {
  return new Promise((resolve) => {
    let isEnding = false;
    const hear = (signal: keyof typeof EXIT_CODES) => {
      if (isEnding) process.exit(EXIT_CODES[signal]);
      isEnding = true;
      resolve();
    };
    process.on("SIGTERM", () => hear("SIGTERM"));
    process.on("SIGINT", () => hear("SIGINT"));
  });
}

function greeting(gateway: Gateway, url: URL): string {
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
    `embedgate ${packageJson.version} serves on ${base}`,
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
