/**
 * Whether an address is free, before several processes share it: a port that somebody else serves on must be told of, not shared with them.
 */
import type { Socket } from "bun";

export interface FreePort {
  /** The one asked for; where that was 0, any that is free. */
  readonly port: number;
  /** Until it is called, no other gateway that begins to share this address just now finds it free. */
  release(): void;
}

/** @throws Error in the system's words */
export function findFreePort(host: string, wanted: number): FreePort {
  // Not shared: so it fails where anybody listens, shared or not.
  const probe = Bun.serve({
    hostname: host,
    port: wanted,
    reusePort: false,
    fetch: () => new Response(null, { status: 503 }),
  });
  const port = probe.port ?? wanted;
  probe.stop(true);
  // Between this and the first copy's listening: a name that only one can have, and that goes with the process.
  const guard = Bun.listen({
    unix: `\0embedgate ${Bun.hash.wyhash(`${host} ${port}`)}`,
    socket: { data: (_: Socket) => undefined },
  });
  return { port, release: () => guard.stop(true) };
}
