/**
 * Reads the address of a PostgreSQL database as libpq does: one host, or several separated by commas, each with its port
 * (postgresql.org/docs/15/libpq-connect.html#LIBPQ-MULTIPLE-HOSTS). To support another value of `target_session_attrs`, add it to SESSIONS, and
 * its query to src/stores/postgres/hosts.ts.
 */

const SESSIONS = ["any", "read-write", "primary"] as const;
export type Session = (typeof SESSIONS)[number];

export interface PostgresAddress {
  /** One URL for each host, in the order of the address, without `target_session_attrs`. */
  readonly urls: readonly [URL, ...URL[]];
  /** By default `any` for one host, and `read-write` for several: a gateway has no use for another one. */
  readonly session: Session;
}

const NO_ADDRESS =
  "is no address of a PostgreSQL database; expected postgres://USER:PASSWORD@HOST:PORT/DATABASE, with %40 for an @ in the password; several hosts are separated by commas";

/** @returns the address, or a problem in words that follow its key's name; they never quote it, since it may have a password */
export function readPostgresAddress(address: string): PostgresAddress | { readonly problem: string } {
  const [scheme, rest] = cut(address, "://");
  const [place, query] = cut(rest, "?");
  const [authority, database] = cut(place, "/");
  const at = authority.lastIndexOf("@") + 1;
  const user = authority.slice(0, at);
  const parameters = query === "" ? [] : query.split("&");
  const wanted = parameters.filter((one) => one.startsWith(TARGET)).map((one) => one.slice(TARGET.length));
  const others = parameters.filter((one) => !one.startsWith(TARGET));
  const end = `/${database}${others.length > 0 ? `?${others.join("&")}` : ""}`;
  const urls: URL[] = [];
  for (const host of authority.slice(at).split(",")) {
    const url = URL.parse(`${scheme}://${user}${host}${end}`);
    if (url === null || url.hostname === "" || database === "") return { problem: NO_ADDRESS };
    urls.push(url);
  }
  const [first, ...more] = urls;
  if (first === undefined) return { problem: NO_ADDRESS };
  const asked = wanted.at(-1) ?? (more.length > 0 ? "read-write" : "any");
  const session = SESSIONS.find((one) => one === asked);
  if (session === undefined)
    return {
      problem: `has target_session_attrs that a gateway cannot use, since it writes; expected ${SESSIONS.join(", ")}`,
    };
  return { urls: [first, ...more], session };
}

const TARGET = "target_session_attrs=";

/** Before and after a separator; what lacks it is all before. */
function cut(text: string, separator: string): readonly [string, string] {
  const at = text.indexOf(separator);
  return at < 0 ? [text, ""] : [text.slice(0, at), text.slice(at + separator.length)];
}
