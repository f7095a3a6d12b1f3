/**
 * Learns of changes as soon as they are committed (LISTEN), on a connection of its own to a server that takes writes, which is reopened when it is
 * lost: a standby sends no notifications. It only saves time: changes are polled as well (mirror.ts).
 */
import { SQL } from "bun";
import { Ending } from "../../domain/ending";
import type { Outside } from "../../domain/outside";
import type { Address } from "./address";
import { serverOf } from "./connection";
import { openHosts } from "./hosts";

const AGAIN_MS = 1_000;

type World = Pick<Outside, "alarm" | "postgres" | "addressesOf" | "environment" | "sleep" | "random" | "log">;

/** @returns a function that stops listening */
export function listenForChanges(address: Address, heard: () => void, outside: World): () => void {
  const { sleep, random, log } = outside;
  const connect = openHosts(address, outside);
  const over = new Ending();
  let isTold = false;

  /** @returns once the connection is lost */
  async function listen(): Promise<void> {
    const found = await connect();
    found.close();
    if (over.aborted) return;
    const lost = Promise.withResolvers<void>();
    const client = new SQL({
      ...serverOf(found.place, outside),
      max: 1,
      idleTimeout: 0,
      maxLifetime: 0,
      onclose: () => lost.resolve(),
    });
    const stop = () => lost.resolve();
    over.addEventListener("abort", stop);
    try {
      await client.listen(`${address.schema}_changes`, heard);
      isTold = false;
      // Notifications may have been missed while it was not connected.
      heard();
      await lost.promise;
    } finally {
      over.removeEventListener("abort", stop);
      await client.close({ timeout: 0 }).catch(() => undefined);
    }
  }

  async function forEver(): Promise<void> {
    while (!over.aborted) {
      try {
        await listen();
      } catch (cause) {
        if (!isTold && !over.aborted)
          log("warn", "PostgreSQL's notifications cannot be received: changes are polled instead", {
            cause: String(cause),
          });
        isTold = true;
      }
      await sleep(AGAIN_MS * (0.5 + random()), over);
    }
  }

  // It rejects only when stopped.
  forEver().catch(() => undefined);
  return () => over.abort("over");
}
