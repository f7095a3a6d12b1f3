/**
 * Reloads a running gateway when its routing file changed or on SIGHUP. A file that is wrong changes nothing: the old one is kept.
 */
import { watch } from "node:fs";
import { basename, dirname, resolve } from "node:path";
import type { GatewayConfig } from "../config/gateway-config";
import type { Gateway } from "../gateway";
import { realOutside } from "../outside";

/** Editors write a file in several steps: what comes within this time is one change. */
const SETTLE_MS = 100;

/**
 * @param load the routing file as it is now, or undefined where it is wrong (and said so)
 * @returns stops watching
 */
export function reloadOnChange(gateway: Gateway, load: () => Promise<GatewayConfig | undefined>): () => void {
  let pending = 0;

  async function reload(): Promise<void> {
    pending += 1;
    const mine = pending;
    await realOutside.sleep(SETTLE_MS);
    if (mine !== pending) return;
    const next = await load();
    if (mine !== pending) return;
    if (!next) {
      realOutside.log("error", "the routing file is wrong: what was served before is served on");
      return;
    }
    const afterRestart = gateway.reload(next);
    realOutside.log("info", "the routing file was reloaded", { models: gateway.routes().list().length });
    if (afterRestart.length > 0) {
      realOutside.log("warn", "some of its changes take effect after a restart only", { keys: afterRestart });
    }
  }

  const start = () => {
    reload().catch((cause: unknown) =>
      realOutside.log("error", "the reload failed", { cause: String(cause) }),
    );
  };
  process.on("SIGHUP", start);
  const { file } = gateway.config();
  // The folder is watched, because a file that an editor replaces is another file to a watch.
  const watcher =
    file === undefined
      ? undefined
      : watch(dirname(resolve(file)), (_, name) => {
          if (name === basename(file)) start();
        });
  return () => {
    process.off("SIGHUP", start);
    watcher?.close();
  };
}
