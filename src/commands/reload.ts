/**
 * `embedgate reload`: a running gateway loads the current routing file and the current executable without dropping a request. A gateway with
 * one process that is not a systemd service reloads only the routing file.
 */
import { realOutside } from "../network/real-outside";
import { type Presence, presentAt } from "../processes/presence";
import { configured } from "../serving/configured";

/** Poll interval for the result. */
const LOOK_EVERY_MS = 20;
/** A new process has its own time limits; after this long, the reload has failed without a report. */
const WAIT_MS = 120_000;

interface ReloadOptions {
  readonly config?: string;
  /** Only to replace the executable too; without it nothing is asked of the gateway. */
  readonly upgrade?: boolean;
}

/** @returns the exit code: 1 if no gateway was found, or one failed to reload */
export async function reload(options: ReloadOptions): Promise<number> {
  const config = await configured(options.config, { notes: false });
  if (!config) return 1;
  const { path } = config.database;
  if (path === ":memory:") {
    console.error(
      "The database is in memory, so a running gateway cannot be found: send it SIGHUP to reload its routing file.",
    );
    return 1;
  }
  const running = presentAt(path);
  if (running.length === 0) {
    console.error(
      `No gateway is running on the database ${path}. Run this in its folder, or with its --config.`,
    );
    return 1;
  }
  if (options.upgrade && running.some(({ signal }) => signal !== "SIGUSR2")) {
    console.error(
      "The gateway is one process, so its executable cannot be replaced while it runs: restart it, or run it as a systemd service or with server.processes of 2 or more.",
    );
    return 1;
  }
  const outcomes = await Promise.all(running.map((gateway) => reloadOne(path, gateway)));
  return outcomes.every(Boolean) ? 0 : 1;
}

async function reloadOne(database: string, { pid, signal, reloads }: Presence): Promise<boolean> {
  try {
    process.kill(pid, signal);
  } catch (cause) {
    console.error(
      `The gateway (process ${pid}) could not be signalled: ${cause instanceof Error ? cause.message : cause}.`,
    );
    return false;
  }
  const giveUpAt = realOutside.monotonic() + WAIT_MS;
  for (;;) {
    const now = presentAt(database).find((one) => one.pid === pid);
    if (now === undefined) {
      console.error(`The gateway (process ${pid}) has ended.`);
      return false;
    }
    if (now.reloads !== reloads) {
      (now.ok ? console.log : console.error)(`The gateway (process ${pid}): ${now.outcome}`);
      return now.ok;
    }
    if (realOutside.monotonic() >= giveUpAt) {
      console.error(
        `The gateway (process ${pid}) did not report the outcome within ${WAIT_MS / 1000} s; see its log.`,
      );
      return false;
    }
    await realOutside.sleep(LOOK_EVERY_MS);
  }
}
