/**
 * A request's URL and headers. If they are too large, the error is in the envelope.
 * The server's own limit must be higher, or it answers first, with a bare status (src/serving/listening.ts).
 */
import { GatewayError } from "../domain/errors";

/** The limit of most servers and proxies: larger headers rarely get this far. */
export const HEAD_BYTES_MAX = 16 * 1024;

/** @throws GatewayError head_too_large */
export function checkHead(request: Request): void {
  let size = request.url.length;
  const headers = request.headers.toJSON();
  for (const name in headers) size += name.length + (headers[name]?.length ?? 0);
  if (size <= HEAD_BYTES_MAX) return;
  throw new GatewayError(
    "head_too_large",
    `URL and headers have more than ${HEAD_BYTES_MAX / 1024} KB: send fewer, or shorter ones.`,
  );
}
