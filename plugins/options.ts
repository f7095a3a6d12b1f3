/**
 * Options of the routing file that every provider with an address has, whatever its wire. An option of one vendor's stands in its plugin.
 */
import type { Host } from "../src/plugin";

/** Of a `base_url`: no user and no password, no query and no fragment. */
export const ADDRESS = "^https?://[^\\s?#@]+$";

/** `headers`, which headersOf puts under the plugin's own. */
export const headersOption = ({ t }: Pick<Host, "t">, about = "Further headers, such as a proxy's.") =>
  t.Optional(t.Record(t.String(), t.String(), { description: about }));
