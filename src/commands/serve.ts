/**
 * `embedgate serve`: opens the gateway on its address, says what it serves, and ends cleanly on a signal.
 */
import packageJson from "../../package.json";
import type { GatewayConfig } from "../config/gateway-config";
import { createGateway, type Gateway } from "../gateway";
import { realOutside } from "../outside";
import { configured } from "./configured";
import { reloadOnChange } from "./reloading";

interface ServeOptions {
  readonly config?: string;
  readonly host?: string;
  readonly port?: number;
}

/** Bun would answer a larger body with a bare 413; the door's own check (src/body.ts) says it in the envelope. */
const REQUEST_BYTES_MAX = 2 ** 40;

/** @returns the exit code, once a signal has ended the gateway */
export async function serve(options: ServeOptions): Promise<number> {
  const config = await load(options);
  if (!config) return 1;
  const { host, port } = config.server;
  const gateway = await createGateway(config, realOutside);
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
  console.log(greeting(gateway, gateway.door.server?.url ?? new URL(`http://${host}:${port}`)));
  await ended;
  stopWatching();
  // In flight requests are answered first; each has its own deadline.
  await gateway.door.stop();
  await gateway.close();
  return 0;
}

/** The routing file, with what the command line says of the address; undefined where it is wrong, and said so. */
async function load(options: ServeOptions): Promise<GatewayConfig | undefined> {
  const config = await configured(options.config);
  if (!config) return undefined;
  const { host = config.server.host, port = config.server.port } = options;
  return { ...config, server: { ...config.server, host, port } };
}

function endingSignal(): Promise<void> {
  return new Promise((resolve) => {
    process.once("SIGTERM", () => resolve());
    process.once("SIGINT", () => resolve());
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
