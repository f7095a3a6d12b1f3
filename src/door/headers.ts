/**
 * Headers of every answer and of errors, and the request headers that are read here.
 * src/request/headers.ts has the headers of embeddings.
 */
import type { GatewayError } from "../domain/errors";
import { sendable } from "../domain/header-values";
import type { CacheUse } from "../request/recall";

/**
 * For browsers: they must not guess another content type, must not frame an answer, and must not send its URL to linked pages.
 * Answers start with a copy: copying headers takes less time than setting them.
 */
export const HEADERS_OF_ALL = new Headers({
  "x-content-type-options": "nosniff",
  "x-frame-options": "DENY",
  "referrer-policy": "no-referrer",
  "content-type": "application/json",
});

/** A request's directives by RFC 9111 (5.2.1): no-cache fetches again, no-store also stores nothing. */
export function cacheUseOf(headers: Headers): CacheUse {
  const said = headers.get("cache-control");
  if (said === null) return { find: true, keep: true };
  const directives = said.toLowerCase().split(/[\s,]+/);
  const store = !directives.includes("no-store");
  return { find: store && !directives.includes("no-cache"), keep: store };
}

/** @param own the API's own headers */
export function setErrorHeaders(
  headers: Headers,
  error: GatewayError,
  status: number,
  own: Readonly<Record<string, string>> = {},
): void {
  if (status === 401) headers.set("www-authenticate", "Bearer");
  if (error.allowed !== undefined) headers.set("allow", error.allowed);
  for (const [name, value] of Object.entries({ ...error.headers, ...own }))
    headers.set(name, sendable(value));
  if (error.retryAfterMs !== undefined && (status === 402 || status === 429 || status === 503)) {
    headers.set("retry-after", String(Math.max(1, Math.ceil(error.retryAfterMs / 1000))));
  }
}

const REQUEST_ID = /^[\x21-\x7e]{1,200}$/;

/** The caller's own id of the request, if it is valid: it is kept in addition to ours, in the answer and in the log. */
export function clientRequestId({ headers }: Pick<Request, "headers">): string | undefined {
  const theirs = headers.get("x-request-id");
  return theirs !== null && REQUEST_ID.test(theirs) ? theirs : undefined;
}
