/**
 * The parent process if several serve: it runs no gateway, but keeps the configured number of processes running, and
 * passes requests such as a reload on to all of them. What must happen once happens here, or in the first process.
 */

import { isDeepStrictEqual } from "node:util";
import type { GatewayConfig, Loaded } from "../config/gateway-config";
import type { ReadFile } from "../config/read";
import { CacheSection } from "../config/schema";
import { openServiceManager } from "../machine/service-manager";
import { realOutside } from "../network/real-outside";
import { cannotServe } from "../serving/cannot-serve";
import { STEP_MS_MIN, STEPS } from "../serving/ending";
import { reloadOnChange, tellReloaded, tellWrong } from "../serving/reloading";
import { endingSignal } from "../serving/signals";
import { createFleet } from "./fleet";
import { type FreePort, findFreePort } from "./port";
import { announce } from "./presence";

export interface Supervision {
  /** From the command line. */
  readonly options: { readonly config?: string; readonly host?: string; readonly port?: number };
  /** The routing file as it was read, and its result. */
  readonly read: ReadFile;
  readonly config: GatewayConfig;
  readonly readAgain: () => Promise<ReadFile>;
  readonly load: (read: ReadFile) => Promise<Loaded>;
}

/** In addition to the routing file's times: a process limits each of its own waits, and their sum is less than this. */
const ENDING_MS = (STEPS + 1) * STEP_MS_MIN;

/** @returns the exit code, after a signal has ended the gateway */
export async function supervise({ options, read, config, readAgain, load }: Supervision): Promise<number> {
  realOutside.logBy?.(config.log);
  const { host, port: wanted, processes } = config.server;
  let { drain_ms, grace_ms } = config.server;
  let { files } = config;
  let { tls } = config.server;
  const fleet = createFleet(options, memoryBytes(config), realOutside);
  let free: FreePort;
  try {
    free = await findFreePort(host, wanted, realOutside);
  } catch (cause) {
    throw cannotServe(host, wanted, cause);
  }
  // Before the first process starts: a signal must find a handler.
  const ended = endingSignal(() => fleet.kill());
  const started = fleet.start({ host, port: free.port, processes, read });
  const outcome = await Promise.race([ended.then(() => undefined), started.catch((cause: Error) => cause)]);
  free.release();
  if (outcome instanceof Error) {
    fleet.kill();
    console.error(outcome.message);
    return 1;
  }
  const doing = oneAfterAnother();
  const stopWatching = reloadOnChange(
    () => files,
    (isLatest) =>
      doing(async () => {
        if (!isLatest()) return;
        const next = await readAgain();
        const found = await load(next);
        if (!found.ok) return tellWrong(found);
        const { config: nextConfig, notes } = found;
        try {
          // A listener keeps its certificate, so the listeners are replaced.
          if (tls && nextConfig.server.tls && !isDeepStrictEqual(tls, nextConfig.server.tls)) {
            const { models } = await fleet.swap(next);
            tellReloaded({ models, notes, afterRestart: [] });
          } else tellReloaded({ ...(await fleet.reload(next)), notes });
          ({ tls } = nextConfig.server);
          ({ drain_ms, grace_ms } = nextConfig.server);
          files = nextConfig.files;
          realOutside.logBy?.(nextConfig.log);
        } catch (cause) {
          tellWrong({ reason: cause instanceof Error ? cause.message : String(cause) });
        }
      }),
  );
  const swap = () =>
    void doing(async () => {
      try {
        const swapped = await fleet.swap(await readAgain());
        realOutside.log("info", "new processes have taken over", { processes: swapped.processes });
        announced.reloaded(
          true,
          `${swapped.processes} new processes serve; the old ones finish their requests and end.`,
        );
      } catch (cause) {
        const reason = cause instanceof Error ? cause.message : String(cause);
        realOutside.log("error", "new processes could not take over: keeping the old ones", { reason });
        announced.reloaded(false, reason);
      }
    });
  process.on("SIGUSR2", swap);
  const announced = announce(config.database.path, "SIGUSR2", realOutside);
  if (outcome !== undefined) console.log(outcome.greeting);
  const manager = openServiceManager(realOutside);
  manager.ready();
  const drains = (await ended) === "SIGTERM";
  manager.stopping();
  process.off("SIGUSR2", swap);
  stopWatching();
  announced.withdraw();
  await fleet.end((drains ? drain_ms : 0) + grace_ms + ENDING_MS, drains);
  process.exit(0);
}

/** Changes of all processes run one at a time. */
function oneAfterAnother(): (work: () => Promise<void>) => Promise<void> {
  let last = Promise.resolve();
  return (work) => {
    const done = last.then(work);
    last = done.catch(() => undefined);
    return done;
  };
}

/** The memory for vectors of all processes together. */
function memoryBytes({ cache }: GatewayConfig): number {
  if (cache === false) return 0;
  return (cache.memory_mb ?? CacheSection.properties.memory_mb.default) * 2 ** 20;
}
