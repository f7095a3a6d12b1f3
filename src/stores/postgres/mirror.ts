/**
 * A copy in memory of what every request reads, never older than a second: keys, settings of workspaces, fingerprints of spaces, learned
 * limits. The database numbers their changes in the order of its commits; they are listened for and polled four times a second.
 * To keep something else here, add a `Part`, and its trigger as a new migration.
 */
import { Ending } from "../../domain/ending";
import type { Outside } from "../../domain/outside";
import type { DatabaseClock } from "./clock";
import type { Connection } from "./connection";
import { type Pool, unavailable, WAIT_MS_MAX } from "./pool";

/** One kind of data that is kept in memory. */
export interface Part {
  /** The name that its trigger writes to `changes`. */
  readonly what: string;
  /** Reads the entries with these names, or all, and drops those that no longer exist. */
  read(connection: Connection, names: readonly string[] | undefined): Promise<void>;
}

export interface Mirror {
  /** Reads everything and follows the changes from then on. @throws GatewayError ledger_unavailable */
  start(): Promise<void>;
  /** When it resolves, everything that was committed before the call is in memory. @throws GatewayError ledger_unavailable */
  refresh(): Promise<void>;
  /** Like `refresh`, for a request: gives up after two seconds. */
  refreshInTime(): Promise<void>;
  /** Called when there may be changes. */
  hint(): void;
  /** Undefined where the copy is fresh; otherwise resolves once it is. @throws GatewayError ledger_unavailable */
  fresh(): Promise<void> | undefined;
  /** @throws GatewayError ledger_unavailable where the copy is too old */
  assertFresh(): void;
  stop(): void;
}

const POLL_MS = 200;
/** Less than STALE_MS, as polling takes time, too. */
const FRESH_MS = 700;
/** Older data is not used, except where `mayBeOld` allows it. */
const STALE_MS = 1_000;

interface World extends Pick<Outside, "monotonic" | "sleep" | "alarm" | "log"> {
  readonly clock: DatabaseClock;
  /** Whether old data may be used, because the database is down and rows are spooled. */
  readonly mayBeOld: () => boolean;
}

export function createMirror(pool: Pool, parts: readonly Part[], outside: World): Mirror {
  const { monotonic, sleep, alarm, log, clock, mayBeOld } = outside;
  const ending = new Ending();
  let seen = 0n;
  let freshAt = Number.NEGATIVE_INFINITY;
  /** The refresh in flight, and the one after it for those who asked meanwhile, as the first may miss their commit. */
  let current: Promise<void> | undefined;
  let next: Promise<void> | undefined;

  async function readAll(connection: Connection): Promise<void> {
    const [counter] = await connection.query<{ readonly number: bigint }>(
      "SELECT number FROM @change_counter",
    );
    for (const part of parts) await part.read(connection, undefined);
    seen = counter?.number ?? 0n;
  }

  async function readChanges(connection: Connection): Promise<void> {
    const asked = monotonic();
    const [counter] = await connection.query<{ readonly number: bigint; readonly now: bigint }>(
      "SELECT number, (extract(epoch FROM now()) * 1000)::bigint AS now FROM @change_counter",
    );
    if (counter === undefined) throw new Error("the table change_counter is empty");
    clock.heard(Number(counter.now), asked);
    if (counter.number !== seen) {
      const changes = await connection.query<{ number: bigint; what: string; name: string }>(
        "SELECT number, what, name FROM @changes WHERE number > $1 AND number <= $2",
        [seen, counter.number],
      );
      // Numbers have no gaps. If some are missing, they were deleted, or the database was restored to an earlier state.
      if (BigInt(changes.length) !== counter.number - seen) await readAll(connection);
      else {
        const byPart = Map.groupBy(changes, ({ what }) => what);
        for (const part of parts) {
          const names = byPart.get(part.what)?.map(({ name }) => name);
          if (names) await part.read(connection, [...new Set(names)]);
        }
        seen = counter.number;
      }
    }
    freshAt = asked;
  }

  /** Calls during a refresh share the next one, which begins after them. */
  function refresh(): Promise<void> {
    if (current === undefined) {
      current = pool.run(readChanges).finally(() => {
        current = undefined;
      });
      return current;
    }
    next ??= current
      .catch(() => undefined)
      .then(() => {
        next = undefined;
        return refresh();
      });
    return next;
  }

  /** Limits the wait for a silent server: keys are looked up before the request's deadline starts. */
  function refreshInTime(): Promise<void> {
    return new Promise((resolve, reject) => {
      const late = () => reject(unavailable("The database did not answer in time", undefined));
      const callOff = alarm(WAIT_MS_MAX, late);
      refresh().then(resolve, reject).finally(callOff);
    });
  }

  async function follow(): Promise<void> {
    while (!ending.aborted) {
      try {
        await sleep(POLL_MS, ending);
        await refresh();
      } catch (thrown) {
        // The pool reports a database that is down; anything else is a fault.
        if (!ending.aborted && pool.downSince() === undefined)
          log("warn", "changes in PostgreSQL could not be read", { cause: String(thrown) });
      }
    }
  }

  const isFresh = (ms: number) => monotonic() - freshAt <= ms;

  return {
    async start() {
      await pool.run(readAll);
      await refresh();
      void follow();
    },
    refresh,
    refreshInTime,
    hint: () => void refresh().catch(() => undefined),
    fresh() {
      if (isFresh(FRESH_MS) || mayBeOld()) return undefined;
      const until = monotonic() + WAIT_MS_MAX;
      return refreshInTime().catch((thrown: unknown) => {
        if (mayBeOld()) return;
        if (monotonic() > until || !isFresh(STALE_MS)) throw thrown;
      });
    },
    assertFresh() {
      if (!isFresh(STALE_MS) && !mayBeOld())
        throw unavailable("The database cannot be reached, so keys cannot be checked", undefined);
    },
    stop: () => ending.abort("closed"),
  };
}
