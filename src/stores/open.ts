/** Opens the database that the routing file names. */
import { mkdirSync } from "node:fs";
import { dirname } from "node:path";
import type { Aside } from "../aside/aside";
import type { GatewayConfig } from "../config/gateway-config";
import type { Outside } from "../domain/outside";
import { placeOf } from "./postgres/address";
import { type Opening, openPostgres } from "./postgres/open";
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
  // For what this machine keeps beside: its cache, and how `embedgate reload` finds it.
  mkdirSync(dirname(path), { recursive: true, mode: PRIVATE_FOLDER });
  return openPostgres(postgres, path, outside, opening);
}

/** For people: without a password. */
export const databaseName = ({ path, postgres }: GatewayConfig["database"]): string =>
  postgres === undefined ? path : placeOf(postgres.url);
