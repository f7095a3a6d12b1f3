/**
 * What is said of an address that cannot be served on, by whichever process finds out.
 */
import { GatewayError } from "../domain/errors";

export function cannotServe(host: string, port: number, cause: unknown): GatewayError {
  const reason = cause instanceof Error ? cause.message : String(cause);
  const isTaken = /EADDRINUSE|in use/i.test(
    `${reason} ${cause instanceof Error && "code" in cause ? cause.code : ""}`,
  );
  const hint = isTaken
    ? ` Another process listens there: end it, or take another port, such as --port ${port + 1}.`
    : "";
  return new GatewayError(
    "unavailable",
    `Cannot serve on ${host}:${port}: ${reason.replace(/\.?$/, ".")}${hint}`,
    { cause },
  );
}
