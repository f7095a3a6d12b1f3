/**
 * A gateway that is one process: it serves until a signal ends it, and reloads its routing file when that changes.
 */
import type { GatewayConfig } from "../config/gateway-config";
import { realOutside } from "../network/real-outside";
import { announce } from "../processes/presence";
import { endGracefully } from "../serving/ending";
import { greeting, listen } from "../serving/listening";
import { reloadGateway, reloadOnChange } from "../serving/reloading";
import { endingSignal } from "../serving/signals";
import { ALONE } from "../sharing/place";

const RELOADED =
  "its routing file was reloaded. An executable that was replaced is taken over without a pause only with server.processes of 2 or more.";
const WRONG = "its routing file is wrong, as its log says: what was served before is served on.";

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
  const stopWatching = reloadOnChange(
    () => gateway.config().files,
    async (isLatest) => {
      const isRight = await reloadGateway(gateway, load, isLatest);
      announced.reloaded(isRight, isRight ? RELOADED : WRONG);
    },
  );
  const announced = announce(config.database.path, "SIGHUP", realOutside);
  const ended = endingSignal();
  console.log(greeting(listening));
  const signal = await ended;
  stopWatching();
  announced.withdraw();
  await endGracefully(gateway, listening, realOutside, signal === "SIGTERM");
  // Whatever a plugin left behind must not keep a process that has ended.
  process.exit(0);
}
