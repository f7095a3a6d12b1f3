/**
 * A cache of what every request reads, never older than a second: keys, settings of workspaces, fingerprints of spaces, learned
 * limits. The database numbers their changes in the order of its commits; here they are listened for and, four times a second, polled.
 * A further thing that is kept is a `Part`, with its trigger in migrations.ts.
 */
import { Ending } from "../../domain/ending";
import type { Outside } from "../../domain/outside";
import type { DatabaseClock } from "./clock";
import type { Connection } from "./connection";
import { type Pool, unavailable, WAIT_MS_MAX } from "./pool";

/** One kind of what is kept. */
export interface Part {
  /** As its trigger calls it. */
  readonly what: string;
  /** Reads what is called so, or all, and forgets what is no longer there. */
  read(connection: Connection, names: readonly string[] | undefined): Promise<void>;
}

export interface Mirror {
  /** Reads all, and follows the changes from then on. @throws GatewayError ledger_unavailable */
  start(): Promise<void>;
  /** What was committed before this was called is known when it resolves. @throws GatewayError ledger_unavailable */
  refresh(): Promise<void>;
  /** Changes were heard of. */
  hint(): void;
  /** Undefined where what is known is fresh; else resolves once it is. @throws GatewayError ledger_unavailable */
  fresh(): Promise<void> | undefined;
  /** @throws GatewayError ledger_unavailable where what is known is older than it may be */
  assertFresh(): void;
  stop(): void;
}

const POLL_MS = 200;
/** Half of the promised age: polling takes time, too. */
const FRESH_MS = 700;
/** No answer is given by what is older, but for `mayBeOld`. */
const STALE_MS = 1_000;

interface World extends Pick<Outside, "monotonic" | "sleep" | "alarm" | "log"> {
  readonly clock: DatabaseClock;
  /** While the database is away and rows are spooled, what was known last goes on being known. */
  readonly mayBeOld: () => boolean;
}

export function createMirror(pool: Pool, parts: readonly Part[], outside: World): Mirror {
  const { monotonic, sleep, alarm, log, clock, mayBeOld } = outside;
  const ending = new Ending();
  let seen = 0n;
  let freshAt = Number.NEGATIVE_INFINITY;
  /** Refreshing, and whether somebody asked meanwhile, whose commit it may have missed. */
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
      // Numbers have no gaps; old ones are deleted, and a restored database counts from before.
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

  /** Callers that come during a refresh share the next one, which must begin after they came. */
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

  /** A server that is silent is given no longer: a key is looked up before its request's deadline begins. */
  function refreshedInTime(): Promise<void> {
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
        // The pool tells of a database that is away; anything else is a fault to be told.
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
    hint: () => void refresh().catch(() => undefined),
    fresh() {
      if (isFresh(FRESH_MS) || mayBeOld()) return undefined;
      const until = monotonic() + WAIT_MS_MAX;
      return refreshedInTime().catch((thrown: unknown) => {
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
