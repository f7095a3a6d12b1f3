/**
 * Calls to addresses without TLS, straight on sockets: half the processor time of `fetch`, and no limit of 256 at once. They are those
 * of models that run in one's own network; everything else, and whatever is not of the plainest kind, goes by `fetch`.
 */
import { gunzipSync, inflateSync } from "node:zlib";
import type { Fetched } from "../domain/outside";
import { type Connection, connect } from "./connection";
import type { Reply } from "./reply-parser";

export interface PlainHttp {
  /** As `fetch` does it, but read to its end. @throws as `fetch`: with a `code` where the network failed, the signal's reason */
  send(url: string, init: RequestInit): Promise<Fetched>;
}

/** Servers close what is idle for five seconds or more; what they are about to close must not be used. */
const IDLE_MS_MAX = 4_000;
const IDLE_CONNECTIONS_MAX = 256;
/** A reply of 2048 vectors of 3072 numbers as JSON is some 70 MB; what is larger is no reply to an embeddings call. */
export const REPLY_BYTES_MAX = 256 * 1024 * 1024;

interface Idle {
  readonly connection: Connection;
  readonly since: number;
}

interface Place {
  readonly hostname: string;
  readonly port: number;
  /** Head of every request, up to its headers. */
  readonly path: string;
  readonly host: string;
  readonly idle: Idle[];
}

/** Variables by which `fetch` finds a proxy. */
const PROXIES = ["http_proxy", "HTTP_PROXY", "all_proxy", "ALL_PROXY"] as const;

/**
 * @param proper what takes all other calls
 * @param turn resolves in the next turn of the event loop
 */
export function createPlainHttp(
  proper: (url: string, init: RequestInit) => Promise<Response>,
  monotonic: () => number,
  environment: Readonly<Record<string, string | undefined>>,
  turn: () => Promise<void>,
): PlainHttp {
  const hasProxy = PROXIES.some((name) => (environment[name] ?? "") !== "");
  /** By address: there are as many as the routing file has providers. */
  const places = new Map<string, Place | "not plain">();
  const idleAt = new Map<string, Idle[]>();

  function placeOf(url: string): Place | "not plain" {
    const known = places.get(url);
    if (known) return known;
    const place = hasProxy ? "not plain" : plainPlace(url);
    if (places.size >= 1_000) places.clear();
    places.set(url, place);
    return place;
  }

  function plainPlace(url: string): Place | "not plain" {
    const { protocol, hostname, port, host, pathname, search, username, password } = new URL(url);
    if (protocol !== "http:" || username !== "" || password !== "") return "not plain";
    const idle = idleAt.get(host) ?? [];
    idleAt.set(host, idle);
    const bare = hostname.startsWith("[") ? hostname.slice(1, -1) : hostname;
    return { hostname: bare, port: port === "" ? 80 : Number(port), path: pathname + search, host, idle };
  }

  /** The one that was used last is the least likely to be closed. */
  function idleConnection({ idle }: Place): Connection | undefined {
    const oldest = monotonic() - IDLE_MS_MAX;
    while (idle[0] && idle[0].since < oldest) idle.shift()?.connection.close();
    for (let last = idle.pop(); last; last = idle.pop()) {
      if (last.connection.isUsable()) return last.connection;
    }
    return undefined;
  }

  /**
   * What came unasked may lie unread in the system's buffer, and would be taken for the answer. The first turn may come before the network
   * is looked at, the second does not.
   */
  async function silence(): Promise<void> {
    await turn();
    await turn();
  }

  async function silentConnection(place: Place): Promise<Connection | undefined> {
    for (let idle = idleConnection(place); idle; idle = idleConnection(place)) {
      await silence();
      if (idle.isUsable()) return idle;
    }
    return undefined;
  }

  async function newConnection(place: Place, signal: AbortSignal | undefined): Promise<Connection> {
    const connection = await connectUnlessAborted(place, signal);
    await silence();
    return connection;
  }

  async function ask(place: Place, request: Uint8Array, signal: AbortSignal | undefined): Promise<Fetched> {
    const connection = (await silentConnection(place)) ?? (await newConnection(place, signal));
    const reply = await connection.ask(request, signal);
    if (connection.isUsable() && place.idle.length < IDLE_CONNECTIONS_MAX) {
      connection.rest();
      place.idle.push({ connection, since: monotonic() });
    } else connection.close();
    return fetched(reply);
  }

  return {
    send(url, init) {
      const { body, signal } = init;
      // Without a body it is no call to a model.
      if (init.method !== "POST" || init.redirect !== "manual") return proper(url, init);
      if ("proxy" in init) return proper(url, init);
      if (typeof body !== "string" && !(body instanceof Uint8Array)) return proper(url, init);
      const place = placeOf(url);
      if (place === "not plain") return proper(url, init);
      return ask(place, requestOf(place, init.headers ?? {}, body), signal ?? undefined);
    },
  };
}

function fetched({ status, fields, bytes }: Reply): Fetched {
  const whole = unpacked(bytes, fields.get("content-encoding"));
  let headers: Headers | undefined;
  return {
    status,
    whole,
    // Made when they are asked for: of most replies nobody does.
    get headers() {
      headers ??= new Headers([...fields]);
      return headers;
    },
    get body() {
      return new Response(whole).body;
    },
    arrayBuffer: async () => whole.slice().buffer,
  };
}

/** A connection that comes too late is closed. */
function connectUnlessAborted(
  { hostname, port }: Place,
  signal: AbortSignal | undefined,
): Promise<Connection> {
  return new Promise((resolve, reject) => {
    const giveUp = () => reject(signal?.reason);
    if (signal?.aborted) return giveUp();
    signal?.addEventListener("abort", giveUp);
    connect(hostname, port, REPLY_BYTES_MAX).then(
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

/** A request's bytes. @throws TypeError for a header that is none */
function requestOf(
  { path, host }: Place,
  headers: NonNullable<RequestInit["headers"]>,
  body: string | Uint8Array,
): Uint8Array {
  const isText = typeof body === "string";
  const bodyBytes = isText ? Buffer.byteLength(body) : body.byteLength;
  const lines = `POST ${path} HTTP/1.1\r\nhost: ${host}\r\n${headerLines(headers)}content-length: ${bodyBytes}\r\n\r\n`;
  // A header's value is bytes, one for each character.
  const bytes = Buffer.allocUnsafe(lines.length + bodyBytes);
  bytes.write(lines, 0, "latin1");
  if (isText) bytes.write(body, lines.length, "utf8");
  else bytes.set(body, lines.length);
  return bytes;
}

/** `Headers` refuses what would be another header, and puts together what is said twice. */
function headerLines(headers: NonNullable<RequestInit["headers"]>): string {
  let lines = "";
  for (const [name, value] of Object.entries(
    (headers instanceof Headers ? headers : new Headers(headers)).toJSON(),
  ))
    if (!OWN_HEADERS.has(name)) lines += `${name}: ${value}\r\n`;
  return lines;
}

/** Said here, or of no use on a connection that is kept. */
const OWN_HEADERS = new Set(["host", "content-length", "connection", "transfer-encoding", "keep-alive"]);

/** Nothing packed is asked for; some send it anyway. @throws Error for what cannot be unpacked */
function unpacked(bytes: Uint8Array<ArrayBuffer>, encoding: string | undefined): Uint8Array<ArrayBuffer> {
  const limit = { maxOutputLength: REPLY_BYTES_MAX };
  switch ((encoding ?? "identity").trim().toLowerCase()) {
    case "identity":
    case "":
      return bytes;
    case "gzip":
    case "x-gzip":
      return new Uint8Array(gunzipSync(bytes, limit));
    case "deflate":
      return new Uint8Array(inflateSync(bytes, limit));
    default:
      throw new Error(`the reply has an unknown content encoding (${encoding})`);
  }
}
