/**
 * In open mode, who asks from this machine itself: neither a web page that its user happens to visit, nor a client behind a proxy.
 * A new sign of another machine is a line of `refuseOtherMachines`, which every path but /healthz asks, or of `refuseWebPages`.
 */
import { isIPv4 } from "node:net";
import { GatewayError } from "./errors";

/** What proxies add: the address that they connect from is this machine's, and says nothing of who asks. */
const FORWARDED =
  /^(via|cdn-loop|(x-)?([a-z]+-)?forwarded(-.*)?|(x-)?([a-z]+-)?client-?ip|x-(real|proxyuser|[a-z]+-user)-ip|[a-z]+-connecting-ip|x-envoy-external-address|x-original-(host|url))$/;

/**
 * A name of its own in `Host` may be one that was rebound to this machine (DNS rebinding).
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
 * A plain POST of another site's page needs no preflight, and carries `Origin` or `Sec-Fetch-Site`.
 * @throws GatewayError forbidden
 */
export function refuseWebPages(request: Request): void {
  if (!isOfOwnOrigin(request))
    throw refused("Without keys the gateway does not answer other sites' web pages.");
}

/** Whether no other origin's web page made the request, as far as its browser tells. */
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

/** Nothing may stand behind the name but a port. @returns "" for what is no name */
function hostnameOf(host: string): string {
  return /^(\[[0-9a-f:.]+\]|[^[\]:]+)(:\d{1,5})?$/i.exec(host)?.[1] ?? "";
}

/** Names that lead to this machine only. `localhost.` and `127.1` do too, but no honest client writes them. */
export function isLoopback(hostname: string): boolean {
  const name = hostname.toLowerCase();
  return (
    name === "localhost" || name === "[::1]" || name === "::1" || (isIPv4(name) && name.startsWith("127."))
  );
}
