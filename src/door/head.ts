/**
 * A request's head: its address and its headers. What is too large is told in the envelope.
 * The server must take more than is allowed here, or it answers first, with a bare status (src/commands/serve.ts).
 */
import { GatewayError } from "../domain/errors";

/** What most servers and proxies take: a larger head seldom got this far. */
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
