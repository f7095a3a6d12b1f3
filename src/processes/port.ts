/**
 * Whether an address is free, before several processes share it: a port in use must be reported, not shared.
 * Any user of the machine can take the name that guards the start, so it may delay a gateway but never prevent its start.
 */
import type { Socket } from "bun";
import type { Outside } from "../domain/outside";

export interface FreePort {
  /** The requested port; for 0, a free one. */
  readonly port: number;
  /** Releases the address: until then no other starting gateway considers it free. */
  release(): void;
}

/** A starting gateway serves or has failed within this time. */
const BEGINS_MS_MAX = 5_000;
const LOOK_AGAIN_MS = 50;

/** @throws Error with the system's message */
export async function findFreePort(
  host: string,
  wanted: number,
  { sleep, monotonic, log }: Pick<Outside, "sleep" | "monotonic" | "log">,
): Promise<FreePort> {
  const port = wanted === 0 ? freePort(host, 0) : wanted;
  const until = monotonic() + BEGINS_MS_MAX;
  for (let name = takeName(host, port); ; name = takeName(host, port)) {
    try {
      // While holding the name, so that its previous owner is noticed if it serves now.
      freePort(host, port);
    } catch (cause) {
      if (name !== "taken") name.release();
      throw cause;
    }
    if (name !== "taken") return { port, release: name.release };
    if (monotonic() >= until) {
      log("warn", "another gateway that starts on this port at the same time would not be noticed", {
        address: `${host}:${port}`,
        reason: "another process holds the lock for this port",
      });
      return { port, release: () => undefined };
    }
    await sleep(LOOK_AGAIN_MS);
  }
}

/** @throws Error if anybody listens there, shared or not */
function freePort(host: string, wanted: number): number {
  const probe = Bun.serve({
    hostname: host,
    port: wanted,
    reusePort: false,
    fetch: () => new Response(null, { status: 503 }),
  });
  const port = probe.port ?? wanted;
  probe.stop(true);
  return port;
}

/** Guards the time between the check of the port and the first process's listening: a name that only one can hold, and that disappears with its process. */
function takeName(host: string, port: number): { release(): void } | "taken" {
  // Only processes of one user share a port.
  const about = `${process.getuid?.()} ${host} ${port}`;
  try {
    const guard = Bun.listen({
      unix: `\0embedgate ${Bun.hash.wyhash(about)}`,
      socket: { data: (_: Socket) => undefined },
    });
    return { release: () => guard.stop(true) };
  } catch (cause) {
    if (cause instanceof Error && "code" in cause && cause.code === "EADDRINUSE") return "taken";
    // The system does not support such names.
    return { release: () => undefined };
  }
}
