/**
 * Changes of the routing file that take effect only after a restart. A key that is read only at the start is a line here.
 */
import { isDeepStrictEqual } from "node:util";
import type { GatewayConfig } from "./gateway-config";

/** Fixed at the start: the address, the server's options, and the database. */
export function needingRestart(started: GatewayConfig, next: GatewayConfig): string[] {
  const paths: string[] = [];
  if (next.server.host !== started.server.host) paths.push("server.host");
  if (next.server.port !== started.server.port) paths.push("server.port");
  if (next.server.processes !== started.server.processes) paths.push("server.processes");
  // Another certificate is used at once; https and http on one port at the same time are impossible.
  if ((next.server.tls === undefined) !== (started.server.tls === undefined)) paths.push("server.tls");
  if (next.server.idle_timeout_ms !== started.server.idle_timeout_ms) paths.push("server.idle_timeout_ms");
  const isElsewhere = next.database.postgres?.url !== started.database.postgres?.url;
  if (isElsewhere || next.database.path !== started.database.path) paths.push("database");
  else if (next.batchFiles?.folder !== started.batchFiles?.folder) paths.push("files.folder");
  if (!isDeepStrictEqual(next.shared, started.shared)) paths.push("shared");
  if (next.database.durability !== started.database.durability) paths.push("durability");
  if (!isDeepStrictEqual(next.database.postgres, started.database.postgres)) paths.push("postgres");
  return paths;
}
