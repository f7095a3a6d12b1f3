/**
 * The connection pool of a process: a request waits at most two seconds, and is then refused with a `Retry-After`.
 * Work whose connection was lost is retried on another one, so it must be idempotent: rows have ids.
 */
import { GatewayError } from "../../domain/errors";
import type { Outside } from "../../domain/outside";
import type { ConnectionFigures } from "../stores";
import type { Address } from "./address";
import { type Connection, connect, isPassing } from "./connection";

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
  /** Reports how many writes wait outside the pool for a connection. */
  queued(count: number): void;
  /** Reports how long one of those writes waited. */
  waited(ms: number): void;
  figures(): ConnectionFigures;
  /** Since when the database has not answered, on the monotonic clock; undefined while it does. */
  downSince(): number | undefined;
  close(): void;
}

type World = Pick<Outside, "monotonic" | "alarm" | "sleep" | "random" | "log" | "postgres">;

export const WAIT_MS_MAX = 2_000;
export const RETRY_AFTER_MS = 1_000;
const PAUSE_MS_MIN = 10;
const PAUSE_MS_MAX = 250;

/** The longest wait is taken over this window and the one before. */
const WINDOW_MS = 60_000;

interface Waiting {
  readonly take: (connection: Connection | undefined) => void;
}

export function createPool(address: Address, size: number, outside: World): Pool {
  const { monotonic, sleep, random, log, alarm } = outside;
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
          return await connect(address, outside);
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
    if (connection.isLost()) {
      freed();
      return;
    }
    const next = waiting.shift();
    if (next) next.take(connection);
    else idle.push(connection);
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
        if (connection?.isLost() ?? true) failed(thrown);
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
    queued(count) {
      queuedOutside = count;
    },
    waited,
    figures() {
      turnWindow();
      return {
        inUse: open - idle.length,
        most: size,
        waiting: waiting.length + queuedOutside,
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
