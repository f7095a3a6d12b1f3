/**
 * Group commit: all writes of one turn of the event loop, and those that arrive while a transaction is in flight, share the next transaction;
 * under load it waits for a few more (spacing.ts).
 * This process runs one transaction per workspace at a time, as others would wait for its row lock; different workspaces run in parallel.
 */
import type { GatewayError } from "../../domain/errors";
import { asGatewayError } from "../../domain/errors";
import type { Outside } from "../../domain/outside";
import { type Connection, isPassing } from "./connection";
import { Fenced } from "./instance";
import { type Pool, unavailable, WAIT_MS_MAX } from "./pool";
import type { Spacing } from "./spacing";

/** One write of a request. */
export interface Entry<Work> {
  readonly work: Work;
  readonly workspace: string;
  /** On the monotonic clock: after that it is not retried. */
  readonly giveUpAt: number;
  /** It was tried on a connection that was lost, so it may have been committed. */
  isDoubtful: boolean;
  /** Since when it has waited for a connection, on the monotonic clock; undefined where it does not wait. */
  waitsSince: number | undefined;
  /** It timed out while it was in flight, so it may or may not have been committed. */
  isGivenUp: boolean;
  readonly done: (result: unknown) => void;
  readonly failed: (error: GatewayError) => void;
}

/** An entry's outcome. `alone`: it must be written by itself. */
export type Outcome = { readonly value: unknown } | { readonly error: GatewayError } | "alone";

export interface Committing<Work> {
  add(entry: Omit<Entry<Work>, "isDoubtful" | "isGivenUp" | "waitsSince">): void;
  /** Resolves once nothing is waiting or in flight. */
  idle(): Promise<void>;
}

export interface Writing<Work> {
  /**
   * Writes all of them in one transaction or one statement. None of them is doubtful.
   * @throws the database's error; then nothing was written
   */
  together(connection: Connection, entries: readonly Entry<Work>[]): Promise<readonly Outcome[]>;
  /**
   * Writes one entry by itself; `group` is the same object for all of a group, which are written one after the other.
   * @throws the database's error
   */
  alone(connection: Connection, entry: Entry<Work>, group: object): Promise<unknown>;
}

const TOGETHER_MAX = 256;
const PAUSE_MS = 50;
const LOOK_EVERY_MS = 250;

type World = Pick<Outside, "monotonic" | "alarm" | "sleep" | "random" | "turn">;

export function createCommitting<Work>(
  pool: Pool,
  { together, alone }: Writing<Work>,
  spacing: Spacing,
  { monotonic, alarm, sleep, random, turn = () => Promise.resolve() }: World,
): Committing<Work> {
  let queue: Entry<Work>[] = [];
  const busy = new Set<string>();
  const inFlight = new Set<readonly Entry<Work>[]>();
  let isGathering = false;
  let stopLooking: (() => void) | undefined;
  let stopWaiting: (() => void) | undefined;
  let isInLine = false;
  const idlers: (() => void)[] = [];

  function gather(): void {
    if (isGathering) return;
    isGathering = true;
    void turn().then(() => {
      isGathering = false;
      dispatch();
    });
  }

  /** @returns whether something was sent */
  function dispatch(): boolean {
    const before = inFlight.size;
    while (queue.length > 0 && pool.hasPlace()) {
      const group: Entry<Work>[] = [];
      const left: Entry<Work>[] = [];
      for (const entry of queue)
        (group.length < TOGETHER_MAX && !busy.has(entry.workspace) ? group : left).push(entry);
      if (group.length === 0 || isWaitingForMore(group.length)) break;
      queue = left;
      stopWaiting?.();
      stopWaiting = undefined;
      noteWaits(group);
      void write(group);
    }
    noteQueue();
    standInLine();
    look();
    if (queue.length === 0 && inFlight.size === 0) for (const resolve of idlers.splice(0)) resolve();
    return inFlight.size > before;
  }

  function isWaitingForMore(writes: number): boolean {
    const ms = spacing.waitMs(writes);
    if (ms > 0)
      stopWaiting ??= alarm(Math.ceil(ms), () => {
        stopWaiting = undefined;
        dispatch();
      });
    return ms > 0;
  }

  /** Reports the waits of those entries that had to wait for a connection. */
  function noteWaits(group: readonly Entry<Work>[]): void {
    for (const entry of group) {
      if (entry.waitsSince === undefined) continue;
      pool.waited(monotonic() - entry.waitsSince);
      entry.waitsSince = undefined;
    }
  }

  function noteQueue(): void {
    const waiting = pool.hasPlace() ? [] : queue;
    pool.queued(waiting.length);
    for (const entry of waiting) entry.waitsSince ??= monotonic();
  }

  /** Queues for a connection: behind the reads that came before, and ahead of those that come later. */
  function standInLine(): void {
    if (isInLine || pool.hasPlace() || queue.every(({ workspace }) => busy.has(workspace))) return;
    isInLine = true;
    pool.whenPlace(() => {
      isInLine = false;
      dispatch();
    });
  }

  /** Starts the timer that checks the deadlines of entries that wait for a connection or for the server. */
  function look(): void {
    if (queue.length === 0 && inFlight.size === 0) {
      stopLooking?.();
      stopLooking = undefined;
      return;
    }
    stopLooking ??= alarm(LOOK_EVERY_MS, () => {
      stopLooking = undefined;
      const now = monotonic();
      const late = queue.filter(({ giveUpAt }) => giveUpAt <= now);
      queue = queue.filter(({ giveUpAt }) => giveUpAt > now);
      noteWaits(late);
      for (const { failed } of late)
        failed(unavailable("All connections to the database are in use", undefined));
      for (const group of inFlight) for (const entry of group) if (entry.giveUpAt <= now) giveUp(entry);
      dispatch();
    });
  }

  function giveUp(entry: Entry<Work>): void {
    if (entry.isGivenUp) return;
    entry.isGivenUp = true;
    entry.failed(unavailable("The database did not answer in time", undefined));
  }

  async function write(group: readonly Entry<Work>[]): Promise<void> {
    const workspaces = new Set(group.map(({ workspace }) => workspace));
    for (const workspace of workspaces) busy.add(workspace);
    inFlight.add(group);
    const free = () => {
      if (workspaces.size > 0) spacing.ended(queue.length);
      for (const workspace of workspaces) busy.delete(workspace);
      workspaces.clear();
    };
    try {
      await writeGroup(group, free);
    } finally {
      free();
      inFlight.delete(group);
      dispatch();
    }
  }

  /** @param free allows the next group of these workspaces */
  async function writeGroup(group: readonly Entry<Work>[], free: () => void): Promise<void> {
    const sure = group.filter(({ isDoubtful }) => !isDoubtful);
    const single = group.filter(({ isDoubtful }) => isDoubtful);
    if (sure.length > 0) {
      const { answer, rest } = await writeSure(sure);
      single.push(...rest);
      if (single.length === 0) {
        free();
        // Sent before the callers go on: Bun sends what is asked at the end of a turn of the event loop, and what they do takes longer than a commit.
        if (dispatch()) await turn();
      }
      answer();
    }
    const key = {};
    for (const entry of single) {
      if (entry.isGivenUp) continue;
      try {
        entry.done(await pool.run((connection) => alone(connection, entry, key), monotonic()));
      } catch (thrown) {
        await failedWith([entry], thrown);
      }
    }
  }

  /** @returns `answer` tells the callers; `rest`: the entries that must be written by themselves */
  async function writeSure(
    group: readonly Entry<Work>[],
  ): Promise<{ readonly answer: () => void; readonly rest: readonly Entry<Work>[] }> {
    const nothing = () => undefined;
    let outcomes: readonly Outcome[];
    try {
      outcomes = await pool.run((connection) => together(connection, group), monotonic());
    } catch (thrown) {
      if (!isOfTheDatabase(thrown)) return { answer: nothing, rest: group };
      await failedWith(group, thrown);
      return { answer: nothing, rest: [] };
    }
    const outcomeOf = (i: number) => outcomes[i] ?? "alone";
    return {
      rest: group.filter((_, i) => outcomeOf(i) === "alone"),
      answer() {
        for (const [i, entry] of group.entries()) {
          const outcome = outcomeOf(i);
          if (outcome === "alone") continue;
          if ("error" in outcome) entry.failed(outcome.error);
          else entry.done(outcome.value);
        }
      },
    };
  }

  /** Retries them until their deadlines. They may have been committed, so a retry writes each by itself and checks that. */
  async function failedWith(group: readonly Entry<Work>[], thrown: unknown): Promise<void> {
    const now = monotonic();
    const mayPass = isOfTheDatabase(thrown);
    const again: Entry<Work>[] = [];
    for (const entry of group) {
      entry.isDoubtful = true;
      if (mayPass && entry.giveUpAt > now) again.push(entry);
      else entry.failed(asGatewayError(thrown));
    }
    if (again.length === 0) return;
    await sleep(PAUSE_MS * (0.5 + random()));
    queue = [...again, ...queue];
  }

  return {
    add(entry) {
      queue.push({ ...entry, isDoubtful: false, isGivenUp: false, waitsSince: undefined });
      gather();
    },
    idle: () =>
      queue.length === 0 && inFlight.size === 0 && !isGathering
        ? Promise.resolve()
        : new Promise((resolve) => idlers.push(resolve)),
  };
}

/** Whether it is a transient error of the database, as opposed to a refusal. */
function isOfTheDatabase(thrown: unknown): boolean {
  if (thrown instanceof Fenced) return false;
  return isPassing(thrown) || asGatewayError(thrown).kind === "ledger_unavailable";
}

/** The deadline of the write that begins a request, when nothing has been spent yet. */
export const beginUntil = (now: number, until: number) => Math.min(until, now + WAIT_MS_MAX);

/** Writes of paid calls are retried for longer, so that they survive a server's restart or failover. */
const SETTLE_MS_MAX = 15_000;
export const settleUntil = (now: number, until: number) => Math.min(until, now + SETTLE_MS_MAX);
