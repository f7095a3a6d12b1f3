/**
 * The error for an address that cannot be listened on, from any process.
 */
import { GatewayError } from "../domain/errors";

export function cannotServe(host: string, port: number, cause: unknown): GatewayError {
  const reason = cause instanceof Error ? cause.message : String(cause);
  const code = cause instanceof Error && "code" in cause ? String(cause.code) : "";
  const told = /EADDRINUSE|in use/i.test(`${code} ${reason}`)
    ? `the port is in use by another process. Stop that one, or use another port, such as --port ${port + 1}.`
    : reason;
  return new GatewayError("unavailable", `Cannot serve on ${host}:${port}: ${told}`, { cause });
}
