/**
 * Notifies systemd as a service of Type=notify: ready, stopping, and alive (sd_notify(3)). Without a service manager nothing is
 * sent. Bun has no datagrams on Unix sockets, so the C library sends them.
 */
import { ptr } from "bun:ffi";
import type { Outside } from "../domain/outside";
import { openLibc } from "./libc";

const AF_UNIX = 1;
const SOCK_DGRAM = 2;
/** A service manager that does not read must not block the gateway. */
const MSG_DONTWAIT = 0x40;
/** The space for a path in sockaddr_un, unix(7). */
const PATH_BYTES_MAX = 108;

export interface ServiceManager {
  /** The port accepts connections. From now on, watchdog messages are sent as often as the service manager wants. */
  ready(): void;
  /** The gateway shuts down. */
  stopping(): void;
}

/** @param pid the process that the service manager watches; if it is another process, no watchdog messages are sent */
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
    // Twice per watchdog interval, as sd_watchdog_enabled(3) recommends.
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
      // A graceful shutdown may take as long as TimeoutStopSec allows; watchdog messages continue until then.
      if (every !== undefined) beat();
    },
  };
}

function watchdogMs(environment: Outside["environment"], pid: number): number | undefined {
  const ms = Number(environment.WATCHDOG_USEC) / 1000;
  const watched = environment.WATCHDOG_PID ?? "";
  return ms > 0 && (watched === "" || Number(watched) === pid) ? ms : undefined;
}

/** @returns undefined for an invalid address */
function openSender(address: string): ((words: string) => void) | undefined {
  // A name that starts with @ is in the abstract namespace, where its first byte is zero.
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
