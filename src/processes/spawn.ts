/**
 * Starts one copy of this program as a child process, with a channel for messages. A copy exits when that channel closes.
 * The messages are in messages.ts; supervisor.ts decides when to start and end copies.
 */

import type { Outside } from "../domain/outside";
import { CORES_VARIABLE, coresAllowed } from "../machine/cores";
import { isExecutable } from "../machine/executable";
import { FETCHES_MAX, FETCHES_VARIABLE } from "../serving/fetch-limit";
import { type Channel, type Handlers, openChannel } from "./channel";

/** The command-line word that starts a copy; internal. */
export const COPY_COMMAND = "copy";

export interface Exit {
  readonly code: number | null;
  readonly signal: string | number | null;
}

export interface CopyProcess {
  readonly pid: number;
  readonly channel: Channel;
  readonly exited: Promise<Exit>;
  kill(): void;
}

/**
 * @param descriptors file descriptors that all copies share, in the order of region.ts
 * @param processes how many processes share the cores
 */
export function spawnCopy(
  handlers: Handlers,
  descriptors: readonly number[],
  processes: number,
  outside: Pick<Outside, "log">,
): CopyProcess {
  // By its path, so that after an upgrade the new file is started.
  const program = isExecutable() ? [process.execPath] : [process.execPath, Bun.main];
  const child = Bun.spawn([...program, COPY_COMMAND], {
    // With the fetch limit set from the start, so that it need not re-execute itself.
    env: {
      [FETCHES_VARIABLE]: FETCHES_MAX,
      ...process.env,
      [CORES_VARIABLE]: String(Math.max(1, Math.floor(coresAllowed() / processes))),
    },
    stdio: ["ignore", "inherit", "inherit", ...descriptors],
    serialization: "json",
    ipc: (message) => channel.hear(message),
  });
  const channel = openChannel(
    (message) => {
      try {
        child.send(message);
      } catch {
        // A message to a dead process is dropped; its death is noticed below.
      }
    },
    handlers,
    outside,
  );
  const exited = child.exited.then(() => {
    channel.end("the process has ended");
    return { code: child.exitCode, signal: child.signalCode };
  });
  return { pid: child.pid, channel, exited, kill: () => child.kill("SIGKILL") };
}
