/** The path of the disk cache. */
import type { GatewayConfig } from "./gateway-config";

/** The disk cache is a separate file beside the database; a database in memory has no folder for one. */
export function cachePath({ database }: GatewayConfig): string | undefined {
  return database.path === ":memory:" ? undefined : `${database.path}-cache`;
}
