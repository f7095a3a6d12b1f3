/** The path of the database file that a command copies. */
import type { GatewayConfig } from "../config/gateway-config";
import { GatewayError } from "../domain/errors";

/** @throws GatewayError if the database is in memory, or in PostgreSQL, which has its own tools */
export function sqlitePath(
  { database }: Pick<GatewayConfig, "database">,
  what: "backup" | "restore",
): string {
  if (database.postgres !== undefined)
    throw new GatewayError(
      "database_unavailable",
      what === "backup"
        ? "The database is in PostgreSQL: back it up with pg_dump --format=custom, which works while the gateway runs."
        : "The database is in PostgreSQL: stop the gateway and restore it with pg_restore.",
    );
  if (database.path === ":memory:")
    throw new GatewayError("database_unavailable", "The database is in memory: there is no file to work on.");
  return database.path;
}
