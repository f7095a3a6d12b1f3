/**
 * What is said of an address that cannot be served on, by whichever process finds out.
 */
import { GatewayError } from "../domain/errors";

export function cannotServe(host: string, port: number, cause: unknown): GatewayError {
  const reason = cause instanceof Error ? cause.message : String(cause);
  return new GatewayError("unavailable", `Cannot serve on ${host}:${port}: ${reason}`, { cause });
}
