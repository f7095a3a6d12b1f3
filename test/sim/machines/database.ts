/**
 * A PostgreSQL that simulated machines share: the real engine, compiled to WebAssembly (PGlite), behind a network whose losses the seed decides,
 * and with the world's clock. Our own store runs on it unchanged, statement by statement.
 *
 * It has one session, so a transaction locks everything, as if every row were wanted by others. Whatever else a network or a server can do
 * is a member of `Way`, or a loss in `asked`.
 */
import { PGlite } from "@electric-sql/pglite";
import type { OpenPostgres, PostgresSession } from "../../../src/domain/postgres";
import { MIGRATIONS } from "../../../src/stores/postgres/migrations";
import type { Random } from "../random";
import { STARTED_AT, type World } from "../world";

export const SCHEMA = "embedgate";

/** silent: nothing gets through, without an error. starting: it says so. read-only: a standby that is not promoted yet. */
export type Way = "up" | "refusing" | "starting" | "silent" | "read-only";

/** The process that sends statements. */
export interface Host {
  isDead(): boolean;
  /** Resolves when its process runs: at once if it does, never if it is dead. */
  awake(): Promise<void>;
}

export interface SimDatabase {
  openFor(host: Host): OpenPostgres;
  be(way: Way): void;
  /** Ends all connections. */
  cut(): void;
  /** A process has ended, and its connections with it. */
  ended(host: Host): void;
  /** The share of statements, or of their answers, that are lost together with their connection. */
  lose(rate: number): void;
  /** As the judge sees it: what is committed. `@` before a table's name stands for the schema. */
  ask<Row>(text: string, parameters?: readonly unknown[]): Promise<readonly Row[]>;
  /** Milliseconds since 1970, by its own clock. */
  now(): number;
}

const LATENCY_MS_MAX = 3;
/** As the gateway requests it, or the server's role is configured. */
const LOCK_MS_MAX = 2_000;
const IDLE_IN_TRANSACTION_MS_MAX = 5_000;
const CONNECT_MS_MAX = 2_000;

interface Session {
  readonly host: Host | undefined;
  readonly closed: (cause: unknown) => void;
  isCut: boolean;
  isInTransaction: boolean;
  /** Statements on their way to the server. */
  sent: number;
  stopIdle: (() => void) | undefined;
  /** Resolves once everything that was sent before has been done. */
  before: Promise<void>;
}

const forEver = () => new Promise<never>(() => undefined);
const refusal = (errno: string, message: string) =>
  Object.assign(new Error(message), { errno, code: "ERR_POSTGRES_SERVER_ERROR" });
const gone = () => Object.assign(new Error("Connection closed"), { code: "ERR_POSTGRES_CONNECTION_CLOSED" });
const WRITES = /\b(?:INSERT|UPDATE|DELETE)\b|\blease"?\(/;

/** One for all seeds, because it takes seconds to start. */
let engine: Promise<PGlite> | undefined;

async function start(): Promise<PGlite> {
  const started = await PGlite.create({ parsers: { [INT8]: BigInt } });
  await started.exec(
    `CREATE SCHEMA "${SCHEMA}"; CREATE TABLE "${SCHEMA}".migrations (version integer PRIMARY KEY, at timestamptz NOT NULL DEFAULT now())`,
  );
  // Otherwise it would wake up by the real clock to collect statistics.
  await started.exec("SET track_counts = off; SET track_activities = off");
  for (const [i, step] of MIGRATIONS.entries())
    await started.exec(
      `${step.replaceAll("@", `"${SCHEMA}".`)}; INSERT INTO "${SCHEMA}".migrations (version) VALUES (${i + 1})`,
    );
  return started;
}
const INT8 = 20;

/** Call it after the last seed: a timer that it set on the simulated clock would fire every millisecond on the real one. */
export async function endEngine(): Promise<void> {
  const running = await engine;
  engine = undefined;
  await running?.close();
}

/** It reads the time from Date; the two clocks are months apart, which is more than its timers take. */
async function byClock<T>(now: () => number, work: () => Promise<T>): Promise<T> {
  atWork += 1;
  Date.now = now;
  try {
    return await work();
  } finally {
    atWork -= 1;
    // Works overlap: the last one to end restores the real clock, not the one that it found.
    if (atWork === 0) Date.now = REAL_NOW;
  }
}
const REAL_NOW = Date.now;
let atWork = 0;

const emptied = () => byClock(() => STARTED_AT, empty);

async function empty(): Promise<PGlite> {
  engine ??= start();
  const whole = await engine;
  await whole.exec("ROLLBACK");
  const tables = await whole.query<{ name: string }>(
    `SELECT format('%I.%I', schemaname, tablename) AS name FROM pg_tables
     WHERE schemaname = $1 AND tablename NOT IN ('migrations', 'change_counter', 'sums')`,
    [SCHEMA],
  );
  await whole.exec(
    `TRUNCATE ${tables.rows.map(({ name }) => name).join(", ")} RESTART IDENTITY; UPDATE "${SCHEMA}".change_counter SET number = 0;
     UPDATE "${SCHEMA}".sums SET summed_to = 0, next_to = NULL, trimmed_to = 0`,
  );
  return whole;
}

/** @param offsetMs offset of its clock from the world's */
export async function createDatabase(world: World, random: Random, offsetMs: number): Promise<SimDatabase> {
  const postgres = await emptied();
  const sessions = new Set<Session>();
  const waiting: { readonly session: Session; readonly take: () => void }[] = [];
  let owner: Session | undefined;
  let way: Way = "up";
  let lossRate = 0;
  const now = () => STARTED_AT + offsetMs + Math.floor(world.elapsedMs());
  const latencyMs = () => random.number() * LATENCY_MS_MAX;

  /** It does its work in this turn; meanwhile the time is the world's, also for `now()`. */
  async function executed<T>(work: (engine: PGlite) => Promise<T>): Promise<T> {
    world.stir();
    try {
      return await byClock(now, () => work(postgres));
    } catch (cause) {
      const state = cause instanceof Error && "code" in cause ? String(cause.code) : "XX000";
      throw refusal(state, cause instanceof Error ? cause.message : String(cause));
    }
  }

  function sessionOf(host: Host | undefined, closed: (cause: unknown) => void): Session {
    const session = {
      host,
      closed,
      isCut: false,
      isInTransaction: false,
      sent: 0,
      stopIdle: undefined,
      before: Promise.resolve(),
    };
    sessions.add(session);
    return session;
  }

  /** @param longestMs undefined: no limit */
  async function lock(session: Session, longestMs?: number): Promise<void> {
    if (owner === session) return;
    if (owner === undefined) {
      owner = session;
      return;
    }
    const { promise, resolve, reject } = Promise.withResolvers<void>();
    const over = new AbortController();
    const one = {
      session,
      take() {
        over.abort();
        owner = session;
        resolve();
      },
    };
    waiting.push(one);
    if (longestMs !== undefined)
      world.sleep(longestMs, over.signal).then(
        () => {
          waiting.splice(waiting.indexOf(one), 1);
          reject(refusal("55P03", "canceling statement due to lock timeout"));
        },
        () => undefined,
      );
    await promise;
  }

  function release(): void {
    world.stir();
    owner = undefined;
    waiting.shift()?.take();
  }

  function cut(session: Session): void {
    if (session.isCut) return;
    session.isCut = true;
    sessions.delete(session);
    session.stopIdle?.();
    if (owner === session && session.isInTransaction)
      void executed((at) => at.exec("ROLLBACK")).then(release, release);
    const { host, closed } = session;
    void host?.awake().then(() => closed(gone()));
  }

  function startIdle(session: Session): void {
    const over = new AbortController();
    session.stopIdle = () => over.abort();
    world.sleep(IDLE_IN_TRANSACTION_MS_MAX, over.signal).then(
      () => cut(session),
      () => undefined,
    );
  }

  async function done<T>(session: Session, text: string, work: (at: PGlite) => Promise<T>): Promise<T> {
    session.stopIdle?.();
    await lock(session, LOCK_MS_MAX);
    if (session.isCut) {
      release();
      throw gone();
    }
    try {
      if (way === "read-only" && WRITES.test(text))
        throw refusal("25006", "cannot execute it in a read-only transaction");
      return await executed(work);
    } finally {
      if (text === "BEGIN") session.isInTransaction = true;
      if (text === "COMMIT" || text === "ROLLBACK") session.isInTransaction = false;
      if (session.isInTransaction) startIdle(session);
      else release();
    }
  }

  /** An answer's way back: to a process that may be paused or dead. */
  async function home(session: Session): Promise<void> {
    await world.sleep(latencyMs());
    if (way === "silent") return forEver();
    await session.host?.awake();
    if (session.isCut) throw gone();
  }

  async function lost(session: Session, what: string, text: string): Promise<never> {
    world.note(`lost, ${what}: ${text.trim().replaceAll(/\s+/g, " ").slice(0, 60)}`);
    if (random.chance(0.4)) return forEver();
    cut(session);
    await home(session);
    throw gone();
  }

  /** A sent statement may arrive, be executed, and be answered; each step may fail by itself. */
  async function asked<T>(session: Session, text: string, work: (at: PGlite) => Promise<T>): Promise<T> {
    const { before } = session;
    const { promise: isDone, resolve: done } = Promise.withResolvers<void>();
    session.before = isDone;
    try {
      return await askedInTurn(session, text, work, before, done);
    } finally {
      done();
    }
  }

  async function askedInTurn<T>(
    session: Session,
    text: string,
    work: (at: PGlite) => Promise<T>,
    before: Promise<void>,
    isDone: () => void,
  ): Promise<T> {
    session.sent += 1;
    await world.sleep(latencyMs());
    session.sent -= 1;
    await before;
    const { host } = session;
    if (way === "silent") return forEver();
    if (session.isCut) {
      await home(session);
      throw gone();
    }
    // What a process had sent before it died may still arrive.
    if (host?.isDead()) {
      // A complete transaction may still be in flight.
      if (random.chance(session.isInTransaction ? 0.9 : 0.5))
        await done(session, text, work).catch(() => undefined);
      if (!session.isInTransaction) cut(session);
      isDone();
      return forEver();
    }
    const loss = random.number() < lossRate ? random.pick(["the statement", "its answer"]) : undefined;
    if (loss === "the statement") return lost(session, loss, text);
    let value: T;
    try {
      value = await done(session, text, work);
    } catch (cause) {
      isDone();
      await home(session);
      throw cause;
    }
    isDone();
    if (loss) return lost(session, loss, text);
    await home(session);
    return value;
  }

  async function reserved(session: Session): Promise<PostgresSession> {
    await world.sleep(latencyMs());
    if (way === "silent") await world.sleep(CONNECT_MS_MAX);
    const how = way;
    if (how !== "up" && how !== "read-only") cut(session);
    await session.host?.awake();
    if (how === "starting") throw refusal("57P03", "the database system is starting up");
    if (how !== "up" && how !== "read-only") throw gone();
    return {
      query: <Row>(text: string, parameters: unknown[]): Promise<readonly Row[]> =>
        asked(session, text, async (at) => (await at.query<Row>(text, parameters)).rows),
      script: (text) =>
        asked(session, text, async (at) => {
          await at.exec(text);
        }),
    };
  }

  const judge = sessionOf(undefined, () => undefined);
  sessions.delete(judge);
  return {
    now,
    openFor: (host) => (options) => {
      const session = sessionOf(host, options.onclose);
      return {
        reserve: () => reserved(session),
        async close() {
          cut(session);
        },
      };
    },
    be(next) {
      way = next;
      // Connections survive one silence, and end with it.
      if (next !== "silent") for (const session of [...sessions]) cut(session);
    },
    cut() {
      for (const session of [...sessions]) cut(session);
    },
    ended(host) {
      for (const session of [...sessions]) if (session.host === host && session.sent === 0) cut(session);
    },
    lose(rate) {
      lossRate = rate;
    },
    async ask<Row>(text: string, parameters: readonly unknown[] = []) {
      await lock(judge);
      try {
        const named = text.replaceAll("@", `"${SCHEMA}".`);
        return await executed(async (at) => (await at.query<Row>(named, [...parameters])).rows);
      } finally {
        release();
      }
    },
  };
}
