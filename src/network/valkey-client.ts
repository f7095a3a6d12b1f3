/**
 * A connection to a Valkey or Redis server, standalone or cluster, through `ioredis`. Only this file knows the package: another client library is
 * another function of this shape.
 *
 * Why ioredis 6 (four clients were tested on Bun 1.4.5 against redis-server 7.0: killed, stopped, restarted, invalid RESP; the two with cluster
 * support also with a lost primary): without a connection it failed each command at once, it was back 0.3 s after a restart, and it adds
 * 200 KB of JavaScript to the executable.
 * - Bun's own client takes a fifth of the time, but decodes binary values as text in `MGET` and scripts, which corrupts vectors, and has no cluster support.
 * - `redis` 6 limits the time until a command is sent, not until it is answered: with a stopped server it hung for ever. After a lost primary it
 *   needed 5.2 s, ioredis 3.0.
 * - `@valkey/valkey-glide` is 17 MB of native code per system, cannot be created without a server at the start, waits for its timeout if there is
 *   no connection, and writes its own log.
 * ioredis has two cluster problems, described at their workarounds: nodes that are not connected yet, and slots without a node.
 */
import { Cluster, Redis, type RedisOptions } from "ioredis";
import { type Argument, RefusedByServer, type Reply, type ValkeyClient } from "../domain/valkey";

const CONNECT_TIMEOUT_MS = 1_000;
const RECONNECT_EVERY_MS = 250;
/** After a failover no node answers for the slots of the lost one, not even to say which node has them now. */
const SLOTS_REFRESH_EVERY_MS = 2_000;
const PORT = 6379;

/** Each command is tried once on one connection, and fails with it: the caller no longer waits. */
const ONE_TRY = {
  // RESP2, which servers and proxies of every version support.
  protocol: 2,
  lazyConnect: true,
  enableOfflineQueue: false,
  autoResendUnfulfilledCommands: false,
  maxRetriesPerRequest: 0,
  connectTimeout: CONNECT_TIMEOUT_MS,
  disableClientInfo: true,
} as const satisfies RedisOptions;

/** @param url valkey://, valkeys://, redis:// or rediss://, checked by the routing file's schema */
export function connectValkey(url: string): ValkeyClient {
  const options = optionsOf(url);
  /** Known after the first connection. A server does not change its kind. */
  let isCluster: boolean | undefined;
  let current: Redis | Cluster;
  let isReady = false;
  let lastWords = "not connected yet";
  const first = Promise.withResolvers<void>();

  function begin(): void {
    isReady = false;
    const own = isCluster ? cluster() : new Redis({ ...options, ...ONE_TRY, retryStrategy });
    current = own;
    // Without a listener ioredis prints each failed attempt. Failed commands are counted where they are sent.
    own.on("error", (error: Error) => {
      lastWords = wordsOf(error);
      first.resolve();
    });
    own.on("close", () => {
      if (own === current) isReady = false;
    });
    // When a node joins the cluster.
    own.on("+node", connected);
    own.on("ready", () => void ready(own));
    own.connect().catch((error: Error) => {
      lastWords = wordsOf(error);
      first.resolve();
    });
  }

  async function ready(own: Redis | Cluster): Promise<void> {
    if (isCluster === undefined) {
      // If INFO is not allowed, a standalone server is assumed.
      const info: unknown = await own.call("INFO", "cluster").catch(() => "");
      isCluster = typeof info === "string" && /cluster_enabled:1/.test(info);
      if (isCluster && own === current) {
        own.disconnect();
        return begin();
      }
    }
    if (own instanceof Cluster) await Promise.all(own.nodes("master").map(connected));
    if (own !== current) return;
    isReady = true;
    first.resolve();
  }

  /** Connects a node of a cluster. ioredis would connect it only when its first command comes, and that command would fail. */
  async function connected(node: Redis): Promise<void> {
    const { promise: settled, resolve } = Promise.withResolvers<void>();
    node.once("ready", resolve).once("close", resolve);
    if (node.status === "wait") node.connect().catch(() => undefined);
    if (node.status !== "ready") await settled;
  }

  function cluster(): Cluster {
    const { host = "localhost", port = PORT, tls } = options;
    return new Cluster([{ host, port }], {
      lazyConnect: true,
      enableOfflineQueue: false,
      clusterRetryStrategy: retryStrategy,
      // Otherwise a lost node would be reconnected by the next command, which would be lost too.
      clusterNodeRetryStrategy: retryStrategy,
      slotsRefreshTimeout: CONNECT_TIMEOUT_MS,
      slotsRefreshInterval: SLOTS_REFRESH_EVERY_MS,
      retryDelayOnFailover: 0,
      retryDelayOnClusterDown: 0,
      // Certificates are issued for names; an address would not match them.
      ...(tls && { dnsLookup: (address, callback) => callback(null, address) }),
      redisOptions: { ...options, ...ONE_TRY },
    });
  }

  begin();
  return {
    begun: first.promise,
    async call(command, args) {
      if (!isReady) throw new Error(lastWords);
      try {
        return replyOf(await current.callBuffer(command, args.map(asArgument)));
      } catch (error) {
        if (error instanceof Error && error.name === "ReplyError") throw new RefusedByServer(error.message);
        throw error;
      }
    },
    reconnect() {
      current.disconnect();
      begin();
    },
    close() {
      first.resolve();
      current.disconnect();
    },
  };
}

const retryStrategy = () => RECONNECT_EVERY_MS;

function optionsOf(text: string): RedisOptions {
  const url = new URL(text.replace(/^valkey/, "redis"));
  const database = url.pathname.slice(1);
  return {
    // An IPv6 address is in brackets in the URL.
    host: url.hostname.replace(/^\[|\]$/g, ""),
    port: url.port === "" ? PORT : Number(url.port),
    ...(url.username !== "" && { username: decodeURIComponent(url.username) }),
    ...(url.password !== "" && { password: decodeURIComponent(url.password) }),
    ...(database !== "" && { db: Number(database) }),
    ...(url.protocol === "rediss:" && { tls: { servername: url.hostname } }),
  };
}

/** ioredis writes other Uint8Arrays as decimal numbers with commas. */
const asArgument = (argument: Argument): string | number | Buffer =>
  argument instanceof Uint8Array
    ? Buffer.from(argument.buffer, argument.byteOffset, argument.byteLength)
    : argument;

function replyOf(value: unknown): Reply {
  if (value === null || typeof value === "number" || value instanceof Uint8Array) return value;
  if (Array.isArray(value)) return value.map(replyOf);
  return Buffer.from(String(value));
}

const wordsOf = ({ message, name }: Error): string => (message === "" ? name : message);
