/**
 * `embedgate serve`: reads the routing file, and serves in this process or in as many processes as the file says.
 * Modules are loaded on demand, because a supervisor has no gateway.
 */
import type { GatewayConfig } from "../config/gateway-config";
import { USUAL_FILE } from "../config/load";
import { type ReadFile, readRoutingFile } from "../config/read";
import { isManaged } from "../machine/service-manager";
import { realOutside } from "../network/real-outside";
import { configured, reread } from "../serving/configured";
import { makeRoomForFetches } from "../serving/fetch-limit";
import { surviveOtherSignals } from "../serving/signals";

export interface ServeOptions {
  readonly config?: string;
  readonly host?: string;
  readonly port?: number;
}

/** @returns the exit code, after a signal has ended the gateway */
export async function serve(options: ServeOptions): Promise<number> {
  surviveOtherSignals();
  const read = await readNow(options);
  const config = await load(options, read);
  if (!config) return 1;
  if (config.server.processes > 1 || isService(config)) {
    const { supervise } = await import("../processes/supervisor");
    return supervise({
      options,
      read,
      config,
      readAgain: () => readNow(options),
      load: (found) => loadAgain(options, found),
    });
  }
  makeRoomForFetches(config);
  const { serveAlone } = await import("./alone");
  return serveAlone(config, async () => loadAgain(options, await readNow(options)));
}

/** As a service, even one process has a supervisor, so that an upgrade need not restart the service, which would lose requests. */
const isService = ({ database }: GatewayConfig) =>
  process.platform === "linux" && isManaged(realOutside) && database.path !== ":memory:";

const readNow = ({ config = USUAL_FILE }: ServeOptions) => readRoutingFile(process.cwd(), config);

const load = ({ config, host, port }: ServeOptions, read: ReadFile) =>
  configured(config, { read, address: { host, port } });

const loadAgain = ({ config, host, port }: ServeOptions, read: ReadFile) =>
  reread(config, { read, address: { host, port } });
