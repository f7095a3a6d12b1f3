/**
 * A connection to a Valkey or Redis server, alone or a cluster, by `ioredis`. Only this file knows the package: another one is a further
 * function of this shape.
 *
 * Why ioredis 6 (all four were played on Bun 1.4.5 against redis-server 7.0: killed, stopped, restarted, bytes that are no RESP; the two that follow
 * clusters by themselves also with a primary lost): it failed each command at once without a connection, was back 0.3 s after a restart, and goes
 * into the executable as 200 KB of JavaScript.
 * - Bun's own client takes a fifth of the time, but gives binary values as text in `MGET` and scripts, which spoils vectors, and follows no cluster.
 * - `redis` 6 bounds the time until a command is sent, not until it is answered: with a stopped server it hung for ever. After a lost primary it
 *   needed 5.2 s, ioredis 3.0.
 * - `@valkey/valkey-glide` is 17 MB of native code for each system, is not to be had without a server at the start, waits out its timeout where there
 *   is no connection, and writes a log of its own.
 * ioredis has two traps, both in a cluster, with comments at the workarounds: nodes that are not connected yet, and slots that no node answers for.
 */
import { Cluster, Redis, type RedisOptions } from "ioredis";
import { type Argument, RefusedByServer, type Reply, type ValkeyClient } from "../domain/valkey";

const CONNECT_TIMEOUT_MS = 1_000;
const RECONNECT_EVERY_MS = 250;
/** After a failover nobody answers for the slots of a node that is gone, not even to say who has them now. */
const SLOTS_REFRESH_EVERY_MS = 2_000;
const PORT = 6379;

/** Each command has one try on one connection, and fails with it: the caller no longer waits. */
const ONE_TRY = {
  // RESP2, which servers and proxies of every version speak.
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
  /** Known after the first connection; what a server is, it stays. */
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
      // If INFO is not allowed, a single server is assumed.
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

  /** Of a cluster's node, which ioredis would connect to with its first command: too late for that one. */
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
      // Else a node that was lost would be connected to with the next command, which would be lost with it.
      clusterNodeRetryStrategy: retryStrategy,
      slotsRefreshTimeout: CONNECT_TIMEOUT_MS,
      slotsRefreshInterval: SLOTS_REFRESH_EVERY_MS,
      retryDelayOnFailover: 0,
      retryDelayOnClusterDown: 0,
      // Certificates are for names, and an address would not match them.
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
    // In brackets where it is an IPv6 address.
    host: url.hostname.replace(/^\[|\]$/g, ""),
    port: url.port === "" ? PORT : Number(url.port),
    ...(url.username !== "" && { username: decodeURIComponent(url.username) }),
    ...(url.password !== "" && { password: decodeURIComponent(url.password) }),
    ...(database !== "" && { db: Number(database) }),
    ...(url.protocol === "rediss:" && { tls: { servername: url.hostname } }),
  };
}

/** ioredis writes any other Uint8Array as decimal numbers with commas. */
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
