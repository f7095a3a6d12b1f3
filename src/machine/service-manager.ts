/**
 * What systemd is told by a service of Type=notify: that it serves, that it ends, and that it is alive (sd_notify(3)). Where nobody asks,
 * nothing is said. Bun has no datagrams on Unix sockets, so they are sent by the C library.
 */
import { ptr } from "bun:ffi";
import type { Outside } from "../domain/outside";
import { openLibc } from "./libc";

const AF_UNIX = 1;
const SOCK_DGRAM = 2;
/** A manager that does not read must not hold up the gateway. */
const MSG_DONTWAIT = 0x40;
/** The room for a path in sockaddr_un, unix(7). */
const PATH_BYTES_MAX = 108;

export interface ServiceManager {
  /** The port answers. From now on the manager hears that the event loop turns, as often as it wants. */
  ready(): void;
  /** The gateway ends. */
  stopping(): void;
}

/** @param pid of the process that the manager watches, if it is another one nothing is said of being alive */
export function openServiceManager(
  { environment, alarm }: Pick<Outside, "environment" | "alarm">,
  pid = process.pid,
): ServiceManager {
  const address = environment.NOTIFY_SOCKET ?? "";
  const send = address === "" || process.platform !== "linux" ? undefined : openSender(address);
  if (send === undefined) return { ready: () => undefined, stopping: () => undefined };
  const every = watchdogMs(environment, pid);
  const beat = () => {
    send("WATCHDOG=1");
    // Twice in the time that it waits, as sd_watchdog_enabled(3) recommends.
    if (every !== undefined) stopBeating = alarm(every / 2, beat);
  };
  let stopBeating = () => {};
  return {
    ready() {
      send("READY=1");
      if (every !== undefined) beat();
    },
    stopping() {
      stopBeating();
      send("STOPPING=1");
      // Ending gracefully takes as long as TimeoutStopSec allows; the watchdog goes on until then.
      if (every !== undefined) beat();
    },
  };
}

function watchdogMs(environment: Outside["environment"], pid: number): number | undefined {
  const ms = Number(environment.WATCHDOG_USEC) / 1000;
  const watched = environment.WATCHDOG_PID ?? "";
  return ms > 0 && (watched === "" || Number(watched) === pid) ? ms : undefined;
}

/** @returns undefined where the address is none that there can be */
function openSender(address: string): ((words: string) => void) | undefined {
  // A name that begins with @ is in the abstract namespace, where it begins with a zero.
  const path = Buffer.from(address);
  if (path.length >= PATH_BYTES_MAX || (path[0] !== 0x40 && path[0] !== 0x2f)) return undefined;
  if (path[0] === 0x40) path[0] = 0;
  const to = Buffer.concat([new Uint8Array(Uint16Array.of(AF_UNIX).buffer), path]);
  const libc = openLibc({
    socket: { args: ["i32", "i32", "i32"], returns: "i32" },
    sendto: { args: ["i32", "ptr", "u64", "i32", "ptr", "u32"], returns: "i64" },
    close: { args: ["i32"], returns: "i32" },
  });
  if (libc === undefined) return undefined;
  return (words) => {
    const descriptor = libc.socket(AF_UNIX, SOCK_DGRAM, 0);
    if (descriptor < 0) return;
    const bytes = Buffer.from(words);
    libc.sendto(descriptor, ptr(bytes), bytes.length, MSG_DONTWAIT, ptr(to), to.length);
    libc.close(descriptor);
  };
}
