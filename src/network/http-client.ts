/**
 * Calls over http and https directly on sockets: half the processor time of `fetch`, no limit of 256 parallel calls, and every connection is
 * reused, while `fetch` keeps 64. Unusual calls use `fetch`, as does every call through a proxy.
 */
import type { Fetched } from "../domain/outside";
import { type Connection, connect, type Peer } from "./connection";
import type { Reply } from "./reply-parser";
import { securedFor, type TlsInit } from "./secured";

export interface HttpClient {
  /** Like `fetch`, but reads the whole reply. @throws like `fetch`: with a `code` if the network failed, or the signal's reason */
  send(url: string, init: RequestInit & { readonly tls?: TlsInit }): Promise<Fetched>;
}

/**
 * A connection that the server is about to close must not be used. Local servers have idle timeouts of five seconds or more; TLS endpoints are
 * behind load balancers with an idle timeout of a minute or more, and a new TLS connection costs two round trips.
 */
const IDLE_MS_MAX = { "http:": 4_000, "https:": 50_000 } as const;
/** A reply of 2048 vectors of 3072 numbers as JSON is some 70 MB; anything larger is not a reply to an embeddings call. */
export const REPLY_BYTES_MAX = 256 * 1024 * 1024;

interface Idle {
  readonly connection: Connection;
  readonly since: number;
}

/** One server with its idle connections: as many as were ever in use at once. */
interface Server extends Peer {
  readonly idle: Idle[];
  /** Less than IDLE_MS_MAX if the server says so. */
  idleMsMax: number;
}

interface Place {
  readonly server: Server;
  readonly path: string;
  readonly host: string;
}

/** Per TLS settings, or NO_TLS_INIT: a client certificate is never used for another provider's calls. */
interface Known {
  /** By URL: as many as the routing file has providers. */
  readonly places: Map<string, Place | "not plain">;
  /** By protocol, name and port. */
  readonly servers: Map<string, Server>;
}

const NO_TLS_INIT: TlsInit = {};
const nothingKnown = (): Known => ({ places: new Map(), servers: new Map() });

/** Environment variables in which `fetch` looks for a proxy. */
const PROXIES = {
  "http:": ["http_proxy", "HTTP_PROXY", "all_proxy", "ALL_PROXY"],
  "https:": ["https_proxy", "HTTPS_PROXY", "all_proxy", "ALL_PROXY"],
} as const;

/** Whether the environment names a proxy or turns certificate checks off: such calls use `fetch`, since this client always checks certificates. */
export function isLeftToFetch(
  protocol: keyof typeof PROXIES,
  environment: Readonly<Record<string, string | undefined>>,
): boolean {
  const isUnchecked = protocol === "https:" && environment.NODE_TLS_REJECT_UNAUTHORIZED === "0";
  return isUnchecked || PROXIES[protocol].some((name) => (environment[name] ?? "") !== "");
}

/**
 * @param proper handles all other calls
 * @param polled resolves once the event loop has polled the network
 * @param slice before more of a large reply is received: resolves in a later turn of the event loop
 */
export function createHttpClient(
  proper: (url: string, init: RequestInit) => Promise<Response>,
  monotonic: () => number,
  environment: Readonly<Record<string, string | undefined>>,
  polled: () => Promise<void>,
  slice: () => Promise<void>,
): HttpClient {
  const known = new WeakMap<TlsInit, Known>();

  function placeOf(url: string, tls: TlsInit): Place | "not plain" {
    const { places, servers } = known.getOrInsertComputed(tls, nothingKnown);
    const before = places.get(url);
    if (before) return before;
    const place = newPlace(url, tls, servers);
    if (places.size >= 1_000) places.clear();
    places.set(url, place);
    return place;
  }

  function newPlace(url: string, tls: TlsInit, servers: Known["servers"]): Place | "not plain" {
    const { protocol, hostname, port, host, pathname, search, username, password } = new URL(url);
    if (username !== "" || password !== "") return "not plain";
    if (protocol !== "http:" && protocol !== "https:") return "not plain";
    if (isLeftToFetch(protocol, environment)) return "not plain";
    const bare = hostname.startsWith("[") ? hostname.slice(1, -1) : hostname;
    const server = servers.getOrInsertComputed(`${protocol}//${host}`, () => ({
      hostname: bare,
      port: port === "" ? (protocol === "http:" ? 80 : 443) : Number(port),
      secured: protocol === "https:" ? securedFor(bare, tls, monotonic) : undefined,
      idle: [],
      idleMsMax: IDLE_MS_MAX[protocol],
    }));
    return { server, path: pathname + search, host };
  }

  /** The most recently used connection is the least likely to be closed. */
  function idleConnection({ idle, idleMsMax }: Server): Connection | undefined {
    const oldest = monotonic() - idleMsMax;
    while (idle[0] && idle[0].since < oldest) idle.shift()?.connection.close();
    for (let last = idle.pop(); last; last = idle.pop()) {
      if (last.connection.isUsable()) return last.connection;
    }
    return undefined;
  }

  /**
   * A reply without a request may be in the system's buffer, and would be taken for the answer. So the connection must be silent, or the event loop
   * must have polled the network before it is used. Not to wait is better: hundreds of calls that wait for the same turn would stay in step.
   */
  async function ask(
    { server }: Place,
    request: Uint8Array,
    signal: AbortSignal | undefined,
  ): Promise<Fetched> {
    let connection: Connection;
    do {
      const idle = idleConnection(server);
      connection = idle ?? (await connectUnlessAborted(server, slice, signal));
      if (idle?.isSilent()) break;
      await polled();
      // Unsolicited bytes on a new connection are noticed by its first request.
      if (idle === undefined) break;
    } while (!connection.isUsable());
    const reply = await connection.ask(request, signal);
    const said = reply.said("keep-alive");
    if (said !== undefined) noteIdleTime(server, said);
    if (connection.isUsable()) {
      connection.rest(Math.max(1, Math.ceil(server.idleMsMax / 1_000)));
      server.idle.push({ connection, since: monotonic() });
    } else connection.close();
    return new WholeReply(reply);
  }

  return {
    send(url, init) {
      const { body, signal } = init;
      // Calls to models always have a body.
      if (init.method !== "POST" || init.redirect !== "manual") return proper(url, init);
      if ("proxy" in init) return proper(url, init);
      if (typeof body !== "string" && !(body instanceof Uint8Array)) return proper(url, init);
      const place = placeOf(url, init.tls ?? NO_TLS_INIT);
      if (place === "not plain") return proper(url, init);
      return ask(place, requestOf(place, init.headers ?? {}, body), signal ?? undefined);
    },
  };
}

/** `Keep-Alive: timeout=5` in seconds, minus one second for the network. Never more than the default. */
function noteIdleTime(server: Server, said: string): void {
  const seconds = /(?:^|[,\s])timeout=(\d{1,9})/i.exec(said)?.[1];
  if (seconds === undefined) return;
  server.idleMsMax = Math.min(server.idleMsMax, Math.max(0, (Number(seconds) - 1) * 1_000));
}

class WholeReply implements Fetched {
  readonly status: number;
  readonly whole: Uint8Array<ArrayBuffer>;
  private known: Headers | undefined;

  /** @throws Error if decompression fails */
  constructor(private readonly reply: Reply) {
    this.status = reply.status;
    this.whole = unpacked(reply.bytes, reply.said("content-encoding"));
  }

  // Made on demand, because most replies' headers are never read.
  get headers(): Headers {
    this.known ??= new Headers([...this.reply.fields]);
    return this.known;
  }

  get body(): Fetched["body"] {
    return new Response(this.whole).body;
  }

  async arrayBuffer(): Promise<ArrayBuffer> {
    return this.whole.slice().buffer;
  }
}

/** If the connection is ready only after the abort, it is closed. */
function connectUnlessAborted(
  server: Server,
  slice: () => Promise<void>,
  signal: AbortSignal | undefined,
): Promise<Connection> {
  return new Promise((resolve, reject) => {
    const giveUp = () => reject(signal?.reason);
    if (signal?.aborted) return giveUp();
    signal?.addEventListener("abort", giveUp);
    connect(server, REPLY_BYTES_MAX, slice, signal).then(
      (connection) => {
        signal?.removeEventListener("abort", giveUp);
        if (signal?.aborted) connection.close();
        else resolve(connection);
      },
      (cause) => {
        signal?.removeEventListener("abort", giveUp);
        reject(cause);
      },
    );
  });
}

/** A request's bytes. @throws TypeError for an invalid header */
function requestOf(
  { path, host }: Place,
  headers: NonNullable<RequestInit["headers"]>,
  body: string | Uint8Array,
): Uint8Array {
  const isText = typeof body === "string";
  const bodyBytes = isText ? Buffer.byteLength(body) : body.byteLength;
  const lines = `POST ${path} HTTP/1.1\r\nhost: ${host}\r\n${headerLines(headers)}content-length: ${bodyBytes}\r\n\r\n`;
  // A header's value is bytes, one per character.
  const bytes = Buffer.allocUnsafe(lines.length + bodyBytes);
  bytes.write(lines, 0, "latin1");
  if (isText) bytes.write(body, lines.length, "utf8");
  else bytes.set(body, lines.length);
  return bytes;
}

/** The lines of headers that were written before: a provider's calls mostly have the same. */
const knownLines = new Map<string, string>();
const KNOWN_LINES_MAX = 100;

function headerLines(headers: NonNullable<RequestInit["headers"]>): string {
  if (headers instanceof Headers || Array.isArray(headers)) return writtenLines(headers);
  let key = "";
  // Each with its length, so that no value can imitate another header.
  for (const name in headers) key += `${name.length} ${name}${headers[name]?.length} ${headers[name]}`;
  const known = knownLines.get(key);
  if (known !== undefined) return known;
  const lines = writtenLines(headers);
  if (knownLines.size >= KNOWN_LINES_MAX) knownLines.clear();
  knownLines.set(key, lines);
  return lines;
}

/** `Headers` refuses header injection and joins repeated headers. */
function writtenLines(headers: NonNullable<RequestInit["headers"]>): string {
  let lines = "";
  let isNamed = false;
  const said = (headers instanceof Headers ? headers : new Headers(headers)).toJSON();
  for (const name in said) {
    if (name === "user-agent") isNamed = true;
    if (!OWN_HEADERS.has(name)) lines += `${name}: ${said[name]}\r\n`;
  }
  return isNamed ? lines : `${lines}${USER_AGENT}`;
}

/** Firewalls refuse clients without a User-Agent (AWS WAF's NoUserAgent_HEADER). */
const USER_AGENT = "user-agent: embedgate\r\n";
/** Written here, or useless on a keep-alive connection. */
const OWN_HEADERS = new Set(["host", "content-length", "connection", "transfer-encoding", "keep-alive"]);

/** The client asks for no compression, but some servers compress anyway. @throws Error if decompression fails */
function unpacked(bytes: Uint8Array<ArrayBuffer>, encoding: string | undefined): Uint8Array<ArrayBuffer> {
  const limit = { maxOutputLength: REPLY_BYTES_MAX };
  switch ((encoding ?? "identity").trim().toLowerCase()) {
    case "identity":
    case "":
      return bytes;
    case "gzip":
    case "x-gzip":
      return new Uint8Array(process.getBuiltinModule("node:zlib").gunzipSync(bytes, limit));
    case "deflate":
      return new Uint8Array(process.getBuiltinModule("node:zlib").inflateSync(bytes, limit));
    default:
      throw new Error(`the reply has an unknown content encoding (${encoding})`);
  }
}
