/**
 * Options of the routing file that every provider with an address has, whatever its API. An option of a single vendor is in its plugin.
 */
import type { Host } from "../src/plugin";

/** A `base_url`: without user, password and fragment. */
const ADDRESS = "^https?://[^\\s?#@]+(\\?[^\\s#]*)?$";

/** `base_url`. @param usual the vendor's URL, used unless the routing file gives another */
export const addressOption = ({ t }: Pick<Host, "t">, usual: string, description: string) =>
  t.String({ ...addressOf(description), default: usual });

/** `base_url` without a default. */
export const ownAddressOption = ({ t }: Pick<Host, "t">, description: string) =>
  t.String(addressOf(description));

const addressOf = (description: string) => ({
  pattern: ADDRESS,
  expected: "a URL that starts with http:// or https://, without user and #",
  description,
});

/** `headers`, which headersOf lets the plugin's own override. */
export const headersOption = ({ t }: Pick<Host, "t">, about = "Additional headers, such as a proxy's.") =>
  t.Optional(t.Record(t.String(), t.String(), { description: about }));

/** `query`, which withQuery adds to each call's URL. */
export const queryOption = ({ t }: Pick<Host, "t">) =>
  t.Optional(
    t.Record(t.String(), t.String(), {
      description:
        "Additional query parameters of every call, such as a proxy's; base_url may contain them too.",
    }),
  );

export type Query = Readonly<Record<string, string>>;

/**
 * The URL of a call below an address that may have its own query, which stays before the query that `build` adds.
 * @param build the URL from the address without its query
 */
export function withQuery(
  base_url: string,
  query: Query | undefined,
  build: (base: string) => string,
): string {
  const [base = "", own = ""] = base_url.split("?", 2);
  const built = build(base);
  const further = new URLSearchParams(query).toString();
  const [path = "", added = ""] = built.split("?", 2);
  const all = [own, further, added].filter((part) => part !== "").join("&");
  return all === "" ? path : `${path}?${all}`;
}
