/**
 * A gateway that is one process: it serves until a signal ends it, and reloads its routing file when that changes.
 */
import type { GatewayConfig } from "../config/gateway-config";
import { realOutside } from "../outside";
import { ALONE } from "../processes/place";
import { endGracefully } from "./ending";
import { greeting, listen } from "./listening";
import { reloadGateway, reloadOnChange } from "./reloading";
import { endingSignal } from "./signals";

/**
 * @param load the routing file as it is now, or undefined where it is wrong (and said so)
 * @returns the exit code, once a signal has ended the gateway
 */
export async function serveAlone(
  config: GatewayConfig,
  load: () => Promise<GatewayConfig | undefined>,
): Promise<number> {
  const listening = await listen(config, realOutside, ALONE);
  const { gateway } = listening;
  // Before the greeting: whoever reads it may send a signal at once.
  const stopWatching = reloadOnChange(config.file, (isLatest) => reloadGateway(gateway, load, isLatest));
  const ended = endingSignal();
  console.log(greeting(listening));
  await ended;
  stopWatching();
  await endGracefully(gateway, listening, realOutside);
  // Whatever a plugin left behind must not keep a process that has ended.
  process.exit(0);
}
