/**
 * The running gateway that a command asks: its address and its admin paths. It answers from memory or its database, usually on this machine.
 */
import type { GatewayConfig } from "../config/gateway-config";
import { withoutSlash } from "../domain/base-url";
import type { Outside } from "../domain/outside";

export interface Asking {
  readonly url?: string;
  readonly key?: string;
}

const WAIT_MS = 5_000;

/** Without a trailing slash. For a wildcard address the gateway is asked on this machine. */
export function addressOf(
  server: Pick<GatewayConfig["server"], "host" | "port" | "tls">,
  url?: string,
): string {
  if (url !== undefined) return withoutSlash(url);
  const { host, port, tls } = server;
  const asked = host === "0.0.0.0" || host === "::" ? "127.0.0.1" : host;
  return `${tls === undefined ? "http" : "https"}://${asked.includes(":") ? `[${asked}]` : asked}:${port}`;
}

export type Told =
  | { readonly ok: true; readonly body: unknown }
  | { readonly ok: false; readonly reason: string };

/** @param path an admin path, such as /admin/routes */
export async function askAdmin(
  outside: Pick<Outside, "fetch" | "environment">,
  base: string,
  path: string,
  key = outside.environment.EMBEDGATE_ADMIN_KEY,
): Promise<Told> {
  const url = `${base}${path}`;
  try {
    const answer = await outside.fetch(url, {
      headers: key === undefined ? {} : { authorization: `Bearer ${key}` },
      signal: AbortSignal.timeout(WAIT_MS),
    });
    if (answer.status === 401 || answer.status === 403)
      return {
        ok: false,
        reason:
          "give an admin key with --key, or in the variable EMBEDGATE_ADMIN_KEY ('embedgate keys create --admin')",
      };
    if (answer.status !== 200) return { ok: false, reason: `${url} answered ${answer.status}` };
    const body: unknown = JSON.parse(new TextDecoder().decode(await answer.arrayBuffer()));
    return { ok: true, body };
  } catch (cause) {
    const words = cause instanceof Error ? cause.message : String(cause);
    return { ok: false, reason: `${url}: ${words} (--url sets another address)` };
  }
}
