/** Opens the database that the routing file names. */
import type { GatewayConfig } from "../config/gateway-config";
import type { Outside } from "../domain/outside";
import { openSqlite } from "./sqlite";
import type { Stores } from "./stores";

/** @throws GatewayError database_unavailable */
export function openStores(
  { path, durability }: GatewayConfig["database"],
  outside: Outside,
): Promise<Stores> {
  return openSqlite(path, outside, durability);
}
