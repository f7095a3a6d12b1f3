/** Where the cache on the disk is. */
import type { GatewayConfig } from "./gateway-config";

/** The disk cache is a file of its own beside the database; a database in memory has no folder for one. */
export function cachePath({ database }: GatewayConfig): string | undefined {
  return database.path === ":memory:" ? undefined : `${database.path}-cache`;
}
