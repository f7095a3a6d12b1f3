/**
 * A gateway in a single process: serves until a signal ends it, and reloads its routing file when the file changes.
 */
import { isDeepStrictEqual } from "node:util";
import type { GatewayConfig, Loaded } from "../config/gateway-config";
import { keepExecutableSmall } from "../machine/executable-pages";
import { openServiceManager } from "../machine/service-manager";
import { realOutside } from "../network/real-outside";
import { type FreePort, findFreePort } from "../processes/port";
import { announce } from "../processes/presence";
import { cannotServe } from "../serving/cannot-serve";
import { endGracefully } from "../serving/ending";
import { greeting, type ListeningGateway, listen } from "../serving/listening";
import { reloadGateway, reloadOnChange } from "../serving/reloading";
import { endingSignal } from "../serving/signals";
import { ALONE } from "../sharing/place";

const RELOADED =
  "configuration reloaded. The executable is reloaded without downtime only as a systemd service, or with server.processes of 2 or more.";
const WRONG =
  "config reload failed: keeping the previous configuration. The log says what is wrong in the routing file.";

/**
 * @param load reads the current routing file
 * @returns the exit code, after a signal has ended the gateway
 */
export async function serveAlone(config: GatewayConfig, load: () => Promise<Loaded>): Promise<number> {
  const listening = await open(config);
  const { gateway } = listening;
  let { tls } = config.server;
  // Before the start message: a script that waits for the message may send a signal at once.
  const stopWatching = reloadOnChange(
    () => gateway.config().files,
    async (isLatest) => {
      const isRight = await reloadGateway(gateway, load, isLatest);
      const next = gateway.config().server.tls;
      if (tls && next && !isDeepStrictEqual(tls, next)) {
        tls = next;
        await listening.renew(next);
        realOutside.log("info", "TLS certificate reloaded: new connections get it");
      }
      announced.reloaded(isRight, isRight ? RELOADED : WRONG);
    },
  );
  const announced = announce(config.database.path, "SIGHUP", realOutside);
  const ended = endingSignal();
  console.log(greeting(listening));
  const manager = openServiceManager(realOutside);
  manager.ready();
  keepExecutableSmall(realOutside);
  const signal = await Promise.race([ended, gateway.fenced]);
  manager.stopping();
  stopWatching();
  announced.withdraw();
  await endGracefully(gateway, listening, realOutside, signal === "SIGTERM");
  // Handles that a plugin left open must not keep the process alive. Without a signal the gateway was fenced, and must be restarted.
  process.exit(signal === undefined ? 1 : 0);
}

/** With TLS the listener shares its port, so that a listener with a new certificate can replace it; without TLS the port is exclusive. */
async function open(config: GatewayConfig): Promise<ListeningGateway> {
  const { host, port: wanted, tls } = config.server;
  if (tls === undefined || process.platform !== "linux") return listen(config, realOutside, ALONE);
  let free: FreePort;
  try {
    free = await findFreePort(host, wanted, realOutside);
  } catch (cause) {
    throw cannotServe(host, wanted, cause);
  }
  try {
    return await listen(config, realOutside, ALONE, { host, port: free.port, when: Promise.resolve() });
  } finally {
    free.release();
  }
}
