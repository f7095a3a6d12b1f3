/**
 * In open mode, decides whether a request comes from this machine itself: not from a web page in the user's browser, nor from a client behind a proxy.
 * A new sign of another machine is a line of `refuseOtherMachines`, which every path except /healthz uses, or of `refuseWebPages`.
 */
import { isIPv4 } from "node:net";
import { GatewayError } from "./errors";

/** Headers that proxies add: the connection comes from this machine then, which says nothing about the client. */
const FORWARDED =
  /^(via|cdn-loop|(x-)?([a-z]+-)?forwarded(-.*)?|(x-)?([a-z]+-)?client-?ip|x-(real|proxyuser|[a-z]+-user)-ip|[a-z]+-connecting-ip|x-envoy-external-address|x-original-(host|url))$/;

/**
 * Another name in `Host` may have been rebound to this machine (DNS rebinding).
 * @throws GatewayError forbidden
 */
export function refuseOtherMachines(request: Request): void {
  const host = hostOf(request);
  if (!isLoopback(hostnameOf(host))) {
    throw refused(`Without keys the gateway answers only to loopback names, not to "${host.slice(0, 100)}".`);
  }
  for (const name of request.headers.keys()) {
    if (FORWARDED.test(name.toLowerCase()))
      throw refused(`Without keys the gateway does not answer through a proxy, which sent "${name}".`);
  }
}

/**
 * A plain POST of another site's page needs no preflight, and has `Origin` or `Sec-Fetch-Site`.
 * @throws GatewayError forbidden
 */
export function refuseWebPages(request: Request): void {
  if (!isOfOwnOrigin(request))
    throw refused("Without keys the gateway does not answer other sites' web pages.");
}

/** Whether the request was not made by another origin's web page, as far as its browser says. */
export function isOfOwnOrigin(request: Request): boolean {
  const { headers } = request;
  const host = hostOf(request);
  const origin = headers.get("origin");
  const site = headers.get("sec-fetch-site");
  const isOwnOrigin = origin === null || origin === `http://${host}` || origin === `https://${host}`;
  return isOwnOrigin && (site === null || site === "same-origin" || site === "none");
}

const hostOf = (request: Request) => request.headers.get("host") ?? new URL(request.url).host;

const refused = (why: string) =>
  new GatewayError("forbidden", `${why} Create a key with 'embedgate keys create'.`);

/** Only a port may follow the name. @returns "" for an invalid name */
function hostnameOf(host: string): string {
  return /^(\[[0-9a-f:.]+\]|[^[\]:]+)(:\d{1,5})?$/i.exec(host)?.[1] ?? "";
}

/** Names of this machine only. `localhost.` and `127.1` are too, but no honest client uses them. */
export function isLoopback(hostname: string): boolean {
  const name = hostname.toLowerCase();
  return (
    name === "localhost" || name === "[::1]" || name === "::1" || (isIPv4(name) && name.startsWith("127."))
  );
}
