/**
 * The connection pool of a process: a request waits at most two seconds, and is then refused with a `Retry-After`.
 * Work whose connection was lost is retried on another one, so it must be idempotent: rows have ids.
 */
import { GatewayError } from "../../domain/errors";
import type { Outside } from "../../domain/outside";
import type { ConnectionFigures } from "../stores";
import type { Address } from "./address";
import { type Connection, isPassing, isReadOnly } from "./connection";
import { openHosts } from "./hosts";

export interface Pool {
  /**
   * @param work may run more than once
   * @param until on the monotonic clock: after that it is not retried. Left out: two seconds from now
   * @throws GatewayError ledger_unavailable; or what `work` throws
   */
  run<T>(work: (connection: Connection) => Promise<T>, until?: number): Promise<T>;
  /** Like `run`, in a transaction. */
  transact<T>(work: (connection: Connection) => Promise<T>, until?: number): Promise<T>;
  /** Whether a connection is free or may be opened, so that `run` need not wait. */
  hasPlace(): boolean;
  /** Queues together with callers of `run` that wait, and calls `free` in its turn: `run` need not wait if `free` calls it at once. */
  whenPlace(free: () => void): void;
  /** Reports how many writes wait outside the pool for a connection. */
  queued(count: number): void;
  /** Reports how long one of those writes waited. */
  waited(ms: number): void;
  figures(): ConnectionFigures;
  /** Since when the database has not answered, on the monotonic clock; undefined while it does. */
  downSince(): number | undefined;
  close(): void;
}

type World = Pick<
  Outside,
  "monotonic" | "alarm" | "sleep" | "random" | "log" | "postgres" | "addressesOf" | "environment"
>;

export const WAIT_MS_MAX = 2_000;
export const RETRY_AFTER_MS = 1_000;
const PAUSE_MS_MIN = 10;
const PAUSE_MS_MAX = 250;

/** The longest wait is taken over this window and the one before. */
const WINDOW_MS = 60_000;

interface Waiting {
  /** Given undefined, a connection has ended and another one may be opened. */
  readonly take: (connection: Connection | undefined) => void;
  /** Whether it waits in `run`; those of `whenPlace` are counted outside the pool (`queued`). */
  readonly isWork: boolean;
}

export function createPool(address: Address, size: number, outside: World): Pool {
  const { monotonic, sleep, random, log, alarm } = outside;
  const connect = openHosts(address, outside);
  const idle: Connection[] = [];
  const waiting: Waiting[] = [];
  let open = 0;
  let isClosed = false;
  let downSince: number | undefined;
  let queuedOutside = 0;
  let window = { begunAt: monotonic(), longestMs: 0, longestBeforeMs: 0 };

  function turnWindow(): void {
    const age = monotonic() - window.begunAt;
    if (age < WINDOW_MS) return;
    const longestBeforeMs = age < 2 * WINDOW_MS ? window.longestMs : 0;
    window = { begunAt: monotonic(), longestMs: 0, longestBeforeMs };
  }

  function waited(ms: number): void {
    turnWindow();
    if (ms > window.longestMs) window = { ...window, longestMs: ms };
  }

  function answered(): void {
    if (downSince === undefined) return;
    log("info", "PostgreSQL answers again", { down_ms: Math.round(monotonic() - downSince) });
    downSince = undefined;
  }

  function failed(cause: unknown): void {
    if (downSince !== undefined || isClosed) return;
    downSince = monotonic();
    log("error", "PostgreSQL cannot be reached", { cause: String(cause) });
  }

  /** @param until when to stop waiting, on the monotonic clock */
  async function acquire(until: number): Promise<Connection> {
    for (;;) {
      if (isClosed) throw unavailable("The gateway is shutting down", undefined);
      const free = idle.pop();
      if (free !== undefined) {
        if (!free.isLost()) return free;
        open -= 1;
        continue;
      }
      if (open < size) {
        open += 1;
        try {
          return await connect();
        } catch (cause) {
          freed();
          failed(cause);
          throw cause;
        }
      }
      const given = await place(until);
      if (given) return given;
    }
  }

  /** @returns undefined where a connection ended and another may be opened */
  function place(until: number): Promise<Connection | undefined> {
    const since = monotonic();
    return new Promise((resolve, reject) => {
      const one: Waiting = {
        isWork: true,
        take: (connection) => {
          off();
          waited(monotonic() - since);
          resolve(connection);
        },
      };
      const off = alarm(Math.max(0, until - monotonic()), () => {
        const at = waiting.indexOf(one);
        if (at >= 0) waiting.splice(at, 1);
        waited(monotonic() - since);
        reject(unavailable("All connections to the database are in use", undefined));
      });
      waiting.push(one);
    });
  }

  function freed(): void {
    open -= 1;
    waiting.shift()?.take(undefined);
  }

  function release(connection: Connection): void {
    if (isClosed) connection.close();
    if (connection.isLost()) freed();
    else pass(connection);
  }

  function pass(connection: Connection): void {
    const next = waiting.shift();
    if (next) next.take(connection);
    else idle.push(connection);
  }

  /** If `free` does not use the connection, it goes to the next in the queue. */
  function offer(connection: Connection | undefined, free: () => void): void {
    if (connection === undefined) {
      const openBefore = open;
      free();
      if (open === openBefore) waiting.shift()?.take(undefined);
      return;
    }
    idle.push(connection);
    free();
    if (idle.at(-1) !== connection) return;
    idle.pop();
    pass(connection);
  }

  async function run<T>(work: (connection: Connection) => Promise<T>, until?: number): Promise<T> {
    const giveUpAt = until ?? monotonic() + WAIT_MS_MAX;
    for (let tries = 1; ; tries++) {
      let connection: Connection | undefined;
      try {
        connection = await acquire(Math.min(giveUpAt, monotonic() + WAIT_MS_MAX));
        const value = await work(connection);
        answered();
        return value;
      } catch (thrown) {
        if (thrown instanceof GatewayError || !isPassing(thrown)) throw thrown;
        if ((connection?.isLost() ?? true) && !isReadOnly(thrown)) failed(thrown);
        const left = giveUpAt - monotonic();
        if (left <= 0 || isClosed) throw unavailable("The database cannot be reached or is busy", thrown);
        const longest = Math.min(PAUSE_MS_MAX, PAUSE_MS_MIN * 2 ** tries);
        await sleep(Math.min(left, longest * (0.5 + random() / 2)));
      } finally {
        if (connection) release(connection);
      }
    }
  }

  return {
    run,
    transact: (work, until) => run((connection) => connection.transaction(() => work(connection)), until),
    hasPlace: () => idle.length > 0 || open < size,
    whenPlace(free) {
      waiting.push({ isWork: false, take: (connection) => offer(connection, free) });
    },
    queued(count) {
      queuedOutside = count;
    },
    waited,
    figures() {
      turnWindow();
      return {
        inUse: open - idle.length,
        most: size,
        waiting: waiting.filter(({ isWork }) => isWork).length + queuedOutside,
        longestWaitMs: Math.max(window.longestMs, window.longestBeforeMs),
      };
    },
    downSince: () => downSince,
    close() {
      isClosed = true;
      for (const connection of idle.splice(0)) connection.close();
      for (const { take } of waiting.splice(0)) take(undefined);
    },
  };
}

/** @param what happened, for the caller @param cause for the log only, as it may name hosts */
export function unavailable(what: string, cause: unknown): GatewayError {
  return new GatewayError("ledger_unavailable", `${what}. Retry after a second.`, {
    cause,
    logged: cause === undefined ? undefined : String(cause),
    retryAfterMs: RETRY_AFTER_MS,
  });
}
