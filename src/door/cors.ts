/**
 * Which web pages may call the gateway from a browser (CORS, fetch.spec.whatwg.org): those of `server.cors.origins`; none without it.
 * Without keys the gateway answers no other site's page anyway (src/domain/this-machine.ts); CORS only makes that error readable.
 */

/** For answers, including errors. @param origins undefined: no page may call */
export function corsHeaders(
  { headers }: Pick<Request, "headers">,
  origins: readonly string[] | undefined,
): Readonly<Record<string, string>> {
  if (origins === undefined) return {};
  const origin = headers.get("origin");
  if (origin === null || !isAllowed(origin, origins)) return { vary: "origin" };
  return {
    vary: "origin",
    "access-control-allow-origin": origin,
    // The request's id, its space and its limits are in headers.
    "access-control-expose-headers": "*",
  };
}

/** @returns the answer's headers if the request is a preflight of a page that may call; otherwise undefined */
export function preflightHeaders(
  { method, headers }: Pick<Request, "method" | "headers">,
  origins: readonly string[] | undefined,
): Readonly<Record<string, string>> | undefined {
  if (method !== "OPTIONS") return undefined;
  const origin = headers.get("origin");
  const wanted = headers.get("access-control-request-method");
  if (origin === null || wanted === null) return undefined;
  if (!isAllowed(origin, origins ?? [])) return undefined;
  const asked = headers.get("access-control-request-headers");
  return {
    vary: "origin, access-control-request-headers",
    "access-control-allow-origin": origin,
    "access-control-allow-methods": "GET, HEAD, POST, DELETE",
    "access-control-max-age": "86400",
    // As requested: SDKs have some of their own (`x-stainless-*`).
    ...(asked !== null && { "access-control-allow-headers": asked }),
    // Chrome asks before a page from the internet calls this machine.
    ...(headers.get("access-control-request-private-network") === "true" && {
      "access-control-allow-private-network": "true",
    }),
  };
}

const isAllowed = (origin: string, origins: readonly string[]) =>
  origins.includes("*") || origins.includes(origin.toLowerCase());
