/** The address of a PostgreSQL database and how to connect to it, from the routing file. */
import type { PostgresConfig } from "../../config/gateway-config";
import { GatewayError } from "../../domain/errors";
import { type PostgresAddress, readPostgresAddress } from "../../domain/postgres-address";

export interface Address extends PostgresAddress {
  readonly schema: string;
  readonly prepare: boolean;
}

/** @throws GatewayError invalid */
export function addressOf({
  url,
  schema,
  prepare,
}: Pick<PostgresConfig, "url" | "schema" | "prepare">): Address {
  const read = readPostgresAddress(url);
  if ("problem" in read) throw new GatewayError("invalid", `This ${read.problem}.`);
  return { ...read, schema, prepare };
}

/** The address for logs and messages, without user and password. */
export function placeOf(url: string): string {
  const read = readPostgresAddress(url);
  if ("problem" in read) return "postgres:";
  const [first] = read.urls;
  return `postgres://${read.urls.map(({ host }) => host).join(",")}${first.pathname}`;
}
