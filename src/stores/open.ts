/** Opens the database that the routing file names. */
import { mkdirSync } from "node:fs";
import { dirname } from "node:path";
import type { Aside } from "../aside/aside";
import type { GatewayConfig } from "../config/gateway-config";
import type { Outside } from "../domain/outside";
import { placeOf } from "./postgres/address";
import type { Opening } from "./postgres/open";
import { openSqlite } from "./sqlite";
import type { Stores } from "./stores";

const PRIVATE_FOLDER = 0o700;

/** @throws GatewayError database_unavailable */
export async function openStores(
  { path, durability, postgres }: GatewayConfig["database"],
  outside: Outside,
  opening?: Opening,
  aside?: Aside,
): Promise<Stores> {
  if (postgres === undefined) return openSqlite(path, outside, durability, aside);
  // Holds this machine's own files: its cache, and the address that `embedgate reload` uses.
  mkdirSync(dirname(path), { recursive: true, mode: PRIVATE_FOLDER });
  // Read on demand: a gateway on SQLite starts without it.
  const { openPostgres } = await import("./postgres/open");
  return openPostgres(postgres, path, outside, opening);
}

/** The database's name for logs and messages, without its password. */
export const databaseName = ({ path, postgres }: GatewayConfig["database"]): string =>
  postgres === undefined ? path : placeOf(postgres.url);
