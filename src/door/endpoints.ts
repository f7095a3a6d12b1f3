/**
 * Finds the endpoint for a URL: exact paths first, then patterns, the most specific first; and for clients' APIs also paths that result from
 * other forms of the base URL (src/door/base-urls.ts). src/door/http.ts has the endpoints.
 */
import type { Wire } from "../dialects/wire";
import { baseUrlsMeantBy } from "./base-urls";

export interface Endpoint {
  readonly method: "GET" | "POST" | "PUT" | "PATCH" | "DELETE";
  /** `{model}` matches text with slashes, any other `{name}` one segment. */
  readonly path: string;
  /** The wire, for clients' APIs: these are also found with other forms of the base URL. */
  readonly wire?: Wire;
  readonly when?: ((request: Request) => boolean) | undefined;
}

export interface Found<E> {
  readonly endpoint: E;
  readonly params: Readonly<Record<string, string>>;
}

export interface Endpoints<E> {
  /**
   * @returns the endpoint; or the methods that the path supports, with one of its endpoints; undefined if the path does not exist.
   * HEAD is handled like GET.
   */
  find(
    request: Request,
  ): Found<E> | { readonly allowed: readonly string[]; readonly endpoint: E } | undefined;
}

interface Pattern<E> {
  readonly endpoint: E;
  readonly pattern: RegExp;
  /** The number of fixed characters: more of them make a pattern more specific. */
  readonly said: number;
}

export function endpointsOf<E extends Endpoint>(all: readonly E[]): Endpoints<E> {
  // Endpoints with a condition come first.
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

  /** All endpoints for the path and the request, one per method; of several patterns only the most specific. */
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
        // An existing path is the intended one, even if the method is wrong.
        if (near.length > 0) break;
      }
      const [nearest] = near;
      if (!nearest) return undefined;
      const allowed = [...new Set(near.map(({ endpoint }) => endpoint.method))];
      return { allowed, endpoint: nearest.endpoint };
    },
  };
}

/** Whether origins are written as `URL` writes them; a gateway has few. */
const plainOrigins = new Map<string, boolean>();
const ORIGINS_MAX = 100;

/**
 * The text between origin and query, at a tenth of the cost of parsing the URL. It is only used if an endpoint has exactly this path, as our paths
 * contain nothing that `URL` would change.
 * @returns undefined for an origin that is not plain, such as one without a valid host
 */
function plainPathOf(url: string): string | undefined {
  const start = url.indexOf("/", url.indexOf("//") + 2);
  if (start === -1) return undefined;
  const origin = url.slice(0, start);
  let isPlain = plainOrigins.get(origin);
  if (isPlain === undefined) {
    isPlain = URL.parse(origin)?.origin === origin;
    // Callers choose the header `Host`.
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

/** Unescapes a text; invalid escapes are left unchanged. */
function unescaped(text: string): string {
  try {
    return decodeURIComponent(text);
  } catch {
    return text;
  }
}
