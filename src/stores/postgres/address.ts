/**
 * Where a PostgreSQL database is, as the routing file says it. Our own parameters are removed from the address; the rest, such as `sslmode`, is
 * PostgreSQL's (postgresql.org/docs/15/libpq-connect.html#LIBPQ-CONNSTRING).
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

/** For people: without user and password. */
export function placeOf(url: string): string {
  const parsed = URL.parse(url);
  if (parsed === null) return "postgres:";
  return `postgres://${parsed.host}${parsed.pathname}`;
}
