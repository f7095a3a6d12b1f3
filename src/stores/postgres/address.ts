/**
 * The address of a PostgreSQL database, from the routing file. Our own parameters are taken out of the URL; the rest, such as `sslmode`, goes
 * to PostgreSQL (postgresql.org/docs/15/libpq-connect.html#LIBPQ-CONNSTRING).
 */
import type { PostgresConfig } from "../../config/gateway-config";

export interface Address {
  readonly url: string;
  readonly schema: string;
  readonly prepare: boolean;
}

export function addressOf({ url, schema, prepare }: PostgresConfig): Address {
  return { url, schema, prepare };
}

/** The address for logs and messages, without user and password. */
export function placeOf(url: string): string {
  const parsed = URL.parse(url);
  if (parsed === null) return "postgres:";
  return `postgres://${parsed.host}${parsed.pathname}`;
}
