/**
 * Which endpoint an address means: exact paths first, then patterns, those that say most first; and, for APIs that clients call, what people
 * make of a base URL (src/door/base-urls.ts). What stands at an endpoint is in src/door/http.ts.
 */
import type { Wire } from "../dialects/wire";
import { baseUrlsMeantBy } from "./base-urls";

export interface Endpoint {
  readonly method: "GET" | "POST" | "PUT" | "PATCH" | "DELETE";
  /** `{model}` takes what may hold slashes, any other `{name}` one step. */
  readonly path: string;
  /** Of an API that clients call: it is found behind base URLs of other forms, too. */
  readonly wire?: Wire;
  readonly when?: ((request: Request) => boolean) | undefined;
}

export interface Found<E> {
  readonly endpoint: E;
  readonly params: Readonly<Record<string, string>>;
}

export interface Endpoints<E> {
  /**
   * @returns the endpoint; or the methods that the path does answer, with one who answers them; undefined where there is no such path.
   * HEAD is answered as GET.
   */
  find(
    request: Request,
  ): Found<E> | { readonly allowed: readonly string[]; readonly endpoint: E } | undefined;
}

interface Pattern<E> {
  readonly endpoint: E;
  readonly pattern: RegExp;
  /** Characters that are no name's. */
  readonly said: number;
}

export function endpointsOf<E extends Endpoint>(all: readonly E[]): Endpoints<E> {
  // Those with a condition are asked first.
  const ordered = all.toSorted(
    (one, other) => Number(other.when !== undefined) - Number(one.when !== undefined),
  );
  const fixed = Map.groupBy(
    ordered.filter(({ path }) => !path.includes("{")),
    ({ path }) => path,
  );
  const patterns = ordered
    .filter(({ path }) => path.includes("{"))
    .map((endpoint): Pattern<E> => ({ endpoint, ...compiled(endpoint.path) }))
    .toSorted((one, other) => other.said - one.said);

  const isMeant = ({ when }: E, request: Request) => when?.(request) ?? true;

  /** All who have the path and mean such a request, one for each method: of several patterns, only those that say most of it. */
  function meantAt(path: string, request: Request): readonly Found<E>[] {
    const exact = fixed.get(path);
    if (exact)
      return exact
        .filter((endpoint) => isMeant(endpoint, request))
        .map((endpoint) => ({ endpoint, params: {} }));
    const plain = unescaped(path);
    let said = 0;
    const found: Found<E>[] = [];
    for (const { endpoint, pattern, said: own } of patterns) {
      if (own < said) break;
      const raw = pattern.exec(path)?.groups;
      // Some clients escape a pattern's own colon.
      const groups = raw ? eachUnescaped(raw) : pattern.exec(plain)?.groups;
      if (!groups || !isMeant(endpoint, request)) continue;
      said = own;
      found.push({ endpoint, params: { ...groups } });
    }
    return found;
  }

  const exactAt = (path: string | undefined, request: Request) =>
    path === undefined
      ? undefined
      : fixed.get(path)?.find((endpoint) => endpoint.method === request.method && isMeant(endpoint, request));

  const answers = ({ endpoint }: Found<E>, request: Request) =>
    endpoint.method === request.method || (endpoint.method === "GET" && request.method === "HEAD");

  return {
    find(request) {
      const exact = exactAt(plainPathOf(request.url), request);
      if (exact) return { endpoint: exact, params: {} };
      const { pathname } = new URL(request.url);
      const meant = exactAt(pathname, request);
      if (meant) return { endpoint: meant, params: {} };
      let near: readonly Found<E>[] = [];
      for (const path of [pathname, ...baseUrlsMeantBy(pathname)]) {
        const there = meantAt(path, request).filter(
          ({ endpoint }) => path === pathname || endpoint.wire !== undefined,
        );
        const meant = there.find((one) => answers(one, request));
        if (meant) return meant;
        near = there;
        // A path that is right is what was meant, whatever the method.
        if (near.length > 0) break;
      }
      const [nearest] = near;
      if (!nearest) return undefined;
      const allowed = [...new Set(near.map(({ endpoint }) => endpoint.method))];
      return { allowed, endpoint: nearest.endpoint };
    },
  };
}

/** Origins that are written as `URL` would write them: a gateway has few. */
const plainOrigins = new Map<string, boolean>();
const ORIGINS_MAX = 100;

/**
 * What stands between origin and query, at a tenth of what reading all of it costs. It is the path only where an endpoint is called exactly so:
 * no name of ours has what `URL` would read otherwise.
 * @returns undefined for an origin that is not plain, such as one without a valid host
 */
function plainPathOf(url: string): string | undefined {
  const start = url.indexOf("/", url.indexOf("//") + 2);
  if (start === -1) return undefined;
  const origin = url.slice(0, start);
  let isPlain = plainOrigins.get(origin);
  if (isPlain === undefined) {
    isPlain = URL.parse(origin)?.origin === origin;
    // Callers choose what `Host` says.
    if (plainOrigins.size >= ORIGINS_MAX) plainOrigins.clear();
    plainOrigins.set(origin, isPlain);
  }
  if (!isPlain) return undefined;
  const end = url.indexOf("?", start);
  return end === -1 ? url.slice(start) : url.slice(start, end);
}

function compiled(path: string): { readonly pattern: RegExp; readonly said: number } {
  const parts = path.split(/(\{\w+\})/);
  const source = parts.map((part) => {
    if (!part.startsWith("{")) return RegExp.escape(part);
    const name = part.slice(1, -1);
    return `(?<${name}>${name === "model" ? ".*[^/]" : "[^/]+"})`;
  });
  const said = parts.filter((part) => !part.startsWith("{")).join("").length;
  return { pattern: new RegExp(`^${source.join("")}$`), said };
}

const eachUnescaped = (groups: Readonly<Record<string, string>>) =>
  Object.fromEntries(Object.entries(groups).map(([name, text]) => [name, unescaped(text)]));

/** What is no escape stays as it is. */
function unescaped(text: string): string {
  try {
    return decodeURIComponent(text);
  } catch {
    return text;
  }
}
