/**
 * Writes of one turn of the event loop share a transaction, so that the disk is written once for all of them. Each write still succeeds or
 * fails on its own, and none blocks the event loop on a lock.
 */
import type { Database } from "bun:sqlite";
import { GatewayError } from "../domain/errors";
import type { Outside } from "../domain/outside";

export interface Writer {
  /**
   * Resolves once `work` is committed. `work` may run more than once; only its last run counts.
   * @param gathering keeps some of the work's changes in memory until the end of the transaction
   * @param until on the monotonic clock: when to stop waiting for a locked database. There is at least one attempt
   * @throws GatewayError database_unavailable; whatever `work` throws, in which case nothing was changed
   */
  write<T>(work: () => T, gathering?: Gathering, until?: number): Promise<T>;
  /**
   * Whether a write can be expected to succeed: no other process has held the lock for as long as a write waits, and the last write was
   * not refused, as on a full disk. Starts a trial write.
   * @throws GatewayError database_unavailable
   */
  checkWrites(): void;
}

/** Changes that several writes collect in memory, to be written once for all of them. Writes without the gathering always find them written. */
export interface Gathering {
  /** Writes the changes, inside the transaction. */
  flush(): void;
  /** The transaction has ended, committed or not. */
  ended(isCommitted: boolean): void;
}

type World = Pick<Outside, "sleep" | "monotonic" | "random" | "turn" | "polled">;

/** With it, a commit without changes notifies nobody. */
const NOTHING_GATHERED: Gathering = { flush() {}, ended() {} };

/** How often a commit waits for more writes while each wait brings some. Every commit costs as much as several writes. */
const TURNS_MAX = 2;

const ALL_DONE: readonly Outcome[] = [];

/** The longest wait for a locked database. */
export const LOCK_WAIT_MS = 5_000;

/** A write that was asked for, as the writer sees it. */
interface Waiting {
  readonly giveUpAt: number;
  readonly gathering: Gathering | undefined;
  readonly failed: (cause: unknown) => void;
  /** Does the work, inside a transaction. */
  run(): void;
  /** The last run is committed. */
  done(): void;
}

class Write<T> implements Waiting {
  private outcome: { readonly value: T } | undefined;

  constructor(
    private readonly work: () => T,
    readonly gathering: Gathering | undefined,
    readonly giveUpAt: number,
    private readonly resolve: (value: T) => void,
    readonly failed: (cause: unknown) => void,
  ) {}

  run(): void {
    this.outcome = { value: this.work() };
  }

  done(): void {
    if (this.outcome) this.resolve(this.outcome.value);
    else this.failed(new Error("a write was not run"));
  }
}

/** Of a write that failed on its own; undefined: it is done. */
type Outcome = { readonly cause: unknown } | undefined;

export interface WriterOptions {
  /** Called after each commit that changed more than gatherings, before its writes resolve. */
  readonly committed?: () => void;
  /** Called after each commit. */
  readonly logged?: () => void;
  /** So many writes are committed at once, without waiting for more of the same turn; left out: they always wait. */
  readonly enough?: number;
}

export function createWriter(
  database: Database,
  outside: World,
  { committed, logged, enough = Number.POSITIVE_INFINITY }: WriterOptions = {},
): Writer {
  let queue: Waiting[] = [];
  let isWriting = false;
  let failuresInARow = 0;
  /** On the monotonic clock: the first of the current run of failures. */
  let lockedSince: number | undefined;
  /** Why the last write failed, other than by a lock; undefined: it succeeded. */
  let refused: GatewayError | undefined;
  let isTrying = false;
  const { turn = () => Promise.resolve(), polled = turn } = outside;

  const together = database.transaction((group: readonly Waiting[]): readonly Outcome[] => {
    let open: Gathering | undefined;
    for (const waiting of group) {
      const { gathering } = waiting;
      if (gathering !== open) open?.flush();
      open = gathering;
      waiting.run();
    }
    open?.flush();
    return ALL_DONE;
  });
  const own = database.transaction((waiting: Waiting) => {
    waiting.run();
    waiting.gathering?.flush();
  });
  /** Each write has its own savepoint, so that a failing one does not undo the others. */
  const apart = database.transaction((group: readonly Waiting[]): Outcome[] =>
    group.map((waiting) => {
      try {
        own(waiting);
        waiting.gathering?.ended(true);
        return undefined;
      } catch (cause) {
        waiting.gathering?.ended(false);
        // A full disk ends the whole transaction, not only the savepoint.
        if (!database.inTransaction || isLocked(cause)) throw cause;
        return { cause };
      }
    }),
  );

  function commit(group: readonly Waiting[]): readonly Outcome[] {
    try {
      const outcomes = together.immediate(group);
      ended(group, true);
      return outcomes;
    } catch (cause) {
      ended(group, false);
      if (group.length === 1 || isLocked(cause)) throw cause;
      return apart.immediate(group);
    }
  }

  function ended(group: readonly Waiting[], isCommitted: boolean): void {
    let last: Gathering | undefined;
    for (const { gathering } of group) {
      if (gathering !== last) gathering?.ended(isCommitted);
      last = gathering;
    }
  }

  function settle(group: readonly Waiting[], outcomes: readonly Outcome[]): void {
    for (let i = 0; i < group.length; i++) {
      const outcome = outcomes[i];
      if (outcome === undefined) group[i]?.done();
      else group[i]?.failed(refusal(outcome.cause));
    }
  }

  /** @returns the cause if another process holds the lock; then the queue is empty, and its writes are still to be done */
  function commitQueue(): unknown {
    const group = queue;
    queue = [];
    try {
      const outcomes = commit(group);
      failuresInARow = 0;
      lockedSince = undefined;
      // A trial that writes nothing does not show that there is room.
      if (group.some(({ gathering }) => gathering !== NOTHING_GATHERED)) refused = undefined;
      if (group.some(({ gathering }) => gathering === undefined)) committed?.();
      logged?.();
      settle(group, outcomes);
    } catch (cause) {
      if (isLocked(cause)) return cause;
      if (isOfDatabase(cause)) refused = refusal(cause);
      for (const { failed } of group) failed(refusal(cause));
    }
    return undefined;
  }

  async function writeAll(): Promise<void> {
    while (queue.length > 0) {
      // Requests that have arrived but are not read yet share the commit, and so do those that arrive while it waits.
      for (let turns = 0, before = 0; turns < TURNS_MAX && queue.length > before; turns += 1) {
        before = queue.length;
        await polled();
      }
      const group = queue;
      const cause = commitQueue();
      if (cause !== undefined) await waitForLock(group, cause);
    }
    // In the same turn as the last look at the queue: a write that comes now starts the loop again.
    isWriting = false;
  }

  /** Writes that failed on the lock go first next time, except for those that have waited long enough. */
  async function waitForLock(group: readonly Waiting[], cause: unknown): Promise<void> {
    const now = outside.monotonic();
    for (const { failed } of group.filter(({ giveUpAt }) => giveUpAt <= now)) failed(lockedOut(cause));
    queue = [...group.filter(({ giveUpAt }) => giveUpAt > now), ...queue];
    failuresInARow += 1;
    lockedSince ??= now;
    const soonest = Math.min(...queue.map(({ giveUpAt }) => giveUpAt));
    if (queue.length > 0) await pause(outside, failuresInARow, soonest - now);
  }

  const write: Writer["write"] = <T>(
    work: () => T,
    gathering?: Gathering,
    until = Number.POSITIVE_INFINITY,
  ) =>
    new Promise<T>((resolve, failed) => {
      const giveUpAt = Math.min(until, outside.monotonic() + LOCK_WAIT_MS);
      queue.push(new Write(work, gathering, giveUpAt, resolve, failed));
      if (!isWriting) {
        isWriting = true;
        void writeAll();
      } else if (queue.length >= enough && failuresInARow === 0) {
        const group = queue;
        // On a lock, the loop that waits tries again.
        if (commitQueue() !== undefined) queue = group;
      }
    });

  function isLockedStill(): boolean {
    if (lockedSince === undefined) return false;
    try {
      together.immediate([]);
      lockedSince = undefined;
      return false;
    } catch {
      return true;
    }
  }

  /** SQLite writes the page of a number that is set, also if it stays what it was. */
  function writePage(): void {
    const version = database
      .query<{ user_version: bigint | number }, []>("PRAGMA user_version")
      .get()?.user_version;
    database.run(`PRAGMA user_version = ${version ?? 0}`);
  }

  return {
    write,
    checkWrites() {
      const isLockedOut = isLockedStill() && outside.monotonic() - (lockedSince ?? 0) >= LOCK_WAIT_MS;
      // An empty transaction takes the lock and writes nothing. Its outcome is in `lockedSince` or `refused`, for the next check.
      if (!isTrying) {
        isTrying = true;
        const over = () => {
          isTrying = false;
        };
        const trial = refused === undefined ? write(() => {}, NOTHING_GATHERED) : write(writePage);
        trial.then(over, over);
      }
      if (isLockedOut) throw lockedOut(undefined);
      if (refused !== undefined) throw refused;
    },
  };
}

/** Retries work that needs the database alone while another process holds the lock. @throws GatewayError database_unavailable */
export async function patiently<T>(work: () => T, outside: World): Promise<T> {
  const giveUpAt = outside.monotonic() + LOCK_WAIT_MS;
  for (let failures = 1; ; failures++) {
    try {
      return work();
    } catch (cause) {
      if (!isLocked(cause)) throw refusal(cause);
      if (outside.monotonic() >= giveUpAt) throw lockedOut(cause);
      await pause(outside, failures);
    }
  }
}

/** Another process's commit takes a fraction of a millisecond: a retry in the next turn usually succeeds. */
const TURNS_FIRST = 3;
const PAUSE_MS_MAX = 8;

/** Each pause is longer, up to a limit, with jitter, so that two waiting processes do not collide again and again. */
async function pause(
  { sleep, random, turn = () => Promise.resolve() }: World,
  failures: number,
  longestMs = PAUSE_MS_MAX,
): Promise<void> {
  if (failures <= TURNS_FIRST) return turn();
  const longest = Math.min(PAUSE_MS_MAX, 2 ** (failures - TURNS_FIRST - 1));
  await sleep(Math.min(longestMs, longest * (0.5 + random())));
}

function isLocked(cause: unknown): boolean {
  return cause instanceof Error && "code" in cause && /^SQLITE_(BUSY|LOCKED)/.test(String(cause.code));
}

/** Not the fault of what was written: a full disk, a file that is read-only or damaged. */
const isOfDatabase = (cause: unknown) =>
  cause instanceof Error &&
  "code" in cause &&
  /^SQLITE_(FULL|IOERR|READONLY|CANTOPEN|CORRUPT|NOTADB)/.test(String(cause.code));

const refusal = (cause: unknown) =>
  cause instanceof GatewayError ? cause : unavailable("The database refused a write", cause);

/** Whether `write` failed because another process held the lock for all of the allowed time. */
export const isLockedOut = (error: GatewayError) =>
  error.kind === "database_unavailable" && isLocked(error.cause);

/** SQLite's own message says nothing more, so it is left out. */
const lockedOut = (cause: unknown) =>
  new GatewayError("database_unavailable", "The database is locked by another process.", { cause });

export function unavailable(what: string, cause: unknown): GatewayError {
  const reason = cause instanceof Error ? `: ${cause.message}` : "";
  return new GatewayError("database_unavailable", `${what}${reason}.`, { cause });
}
