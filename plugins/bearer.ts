/**
 * What vendors with one key and one URL have in common: their options in the routing file, and how a call uses them.
 * An option that only one vendor has is in that plugin, beside these.
 */
import type { Host } from "../src/plugin";
import { headersOf } from "./headers";
import { addressOption, headersOption, type Query, queryOption } from "./options";

/** The options that a plugin's `open` receives. */
export interface BearerOptions {
  readonly api_key: string;
  readonly base_url: string;
  readonly query?: Query;
  readonly headers?: Readonly<Record<string, string>>;
}

/** @param base_url the vendor's URL with its version, used unless the routing file gives another */
export function bearerOptions(host: Pick<Host, "t">, base_url: string) {
  const { t } = host;
  return {
    api_key: t.String({ minLength: 1, description: "Sent as a Bearer token." }),
    base_url: addressOption(host, base_url, "Base URL, with or without its version."),
    query: queryOption(host),
    headers: headersOption(host),
  };
}

export function bearerHeaders(api_key: string, further: Readonly<Record<string, string>> | undefined) {
  return headersOf(further, { authorization: `Bearer ${api_key}` });
}
