/**
 * Learns of changes as soon as they are committed (LISTEN), on a connection of its own, which Bun reopens when it is lost. It only saves time:
 * changes are polled as well (mirror.ts).
 */
import { SQL } from "bun";
import type { Outside } from "../../domain/outside";
import type { Address } from "./address";

/** @returns a function that stops listening */
export function listenForChanges(
  { url, schema }: Address,
  heard: () => void,
  { log }: Pick<Outside, "log">,
): () => void {
  const connection = new SQL({ url, max: 1, idleTimeout: 0, maxLifetime: 0 });
  connection.listen(`${schema}_changes`, heard).catch((cause: unknown) =>
    log("warn", "PostgreSQL's notifications cannot be received: changes are polled instead", {
      cause: String(cause),
    }),
  );
  return () => void connection.close({ timeout: 0 }).catch(() => undefined);
}
