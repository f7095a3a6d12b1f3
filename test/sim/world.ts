/**
 * The simulated world: one virtual clock, and processes that can die. Time stands still while anything can run, then jumps to the
 * next timer. A new member of src/domain/outside.ts gets its simulated counterpart in `startProcess`.
 */
import type { EndSignal } from "../../src/domain/ending";
import type { LogLevel, Outside } from "../../src/domain/outside";
import type { Random } from "./random";

/** An arbitrary noon; every simulation starts there. */
export const STARTED_AT = Date.UTC(2027, 0, 15, 12);

/** One life of the gateway's process. Once dead, no timer and no answer reaches it: it waits for ever. */
export interface Process {
  readonly outside: Outside;
  isDead(): boolean;
  kill(): void;
}

export interface LogLine {
  readonly level: LogLevel;
  readonly message: string;
  readonly about: Readonly<Record<string, unknown>>;
}

export interface World {
  /** Milliseconds since the simulation began. */
  elapsedMs(): number;
  /** A sleep that belongs to no process: clients and upstream servers use it. */
  sleep(ms: number, signal?: EndSignal): Promise<void>;
  /** @param machine for simulations with several */
  startProcess(
    fetch: (url: string, init: RequestInit, process: Process) => Promise<Response>,
    machine?: string,
  ): Process;
  /** Lets everything run, moving the clock from timer to timer, until `work` is done. @throws StuckError */
  until<Value>(work: Promise<Value>): Promise<Value>;
  note(line: string): void;
  /** What happened, one line each with its time: two runs of one seed have the same. */
  readonly trace: readonly string[];
  readonly logs: readonly LogLine[];
  /** Pending timers of processes that are still alive. */
  timers(): number;
  /** Something happened without a timer, such as a piece of a body: the world lets it take its course. */
  stir(): void;
}

/** Something waits for an event that will never come, or never stops. */
export class StuckError extends Error {}

interface Timer {
  readonly dueMs: number;
  readonly process: Process | undefined;
  readonly wake: () => void;
}

/** A seed needs a few hundred; one that needs this many is in a loop. */
const JUMPS_MAX = 60_000;

export function createWorld(random: Random): World {
  let nowMs = 0;
  let jumps = 0;
  /** Grows with everything that touches the world: while it grows, something is still running. */
  let activity = 0;
  const timers: Timer[] = [];
  const trace: string[] = [];
  const logs: LogLine[] = [];

  function sleep(ms: number, signal: EndSignal | undefined, process: Process | undefined): Promise<void> {
    activity += 1;
    if (process?.isDead()) return new Promise(() => undefined);
    return new Promise((resolve, reject) => {
      if (signal?.aborted) return reject(signal.reason);
      const stop = () => {
        activity += 1;
        const place = timers.indexOf(timer);
        if (place >= 0) timers.splice(place, 1);
        reject(signal?.reason);
      };
      const wake = () => {
        signal?.removeEventListener("abort", stop);
        resolve();
      };
      const timer: Timer = { dueMs: nowMs + Math.max(0, ms), process, wake };
      // Timers that end at the same time end in the order in which they started.
      const later = timers.findIndex(({ dueMs }) => dueMs > timer.dueMs);
      timers.splice(later < 0 ? timers.length : later, 0, timer);
      signal?.addEventListener("abort", stop);
    });
  }

  /** Turns of the event loop until several in a row changed nothing: bodies and streams take more than one turn. */
  async function everythingRan(): Promise<void> {
    for (let quiet = 0, seen = activity; quiet < 2; quiet++) {
      await new Promise<void>((resolve) => setImmediate(resolve));
      if (activity !== seen) quiet = -1;
      seen = activity;
    }
  }

  function note(line: string): void {
    activity += 1;
    trace.push(`${nowMs.toFixed(3).padStart(10)} ${line}`);
  }

  return {
    elapsedMs: () => nowMs,
    sleep: (ms, signal) => sleep(ms, signal, undefined),
    startProcess(fetch, machine = "") {
      let dead = false;
      const draws = random.fork(`process at ${nowMs}${machine}`);
      const process: Process = {
        isDead: () => dead,
        kill() {
          dead = true;
          for (const timer of timers.filter((candidate) => candidate.process === process))
            timers.splice(timers.indexOf(timer), 1);
        },
        outside: {
          now: () => STARTED_AT + Math.floor(nowMs),
          monotonic: () => nowMs,
          sleep: (ms, signal) => sleep(ms, signal, process),
          alarm(ms, ring) {
            const called = new AbortController();
            sleep(ms, called.signal, process).then(ring, () => undefined);
            return () => called.abort();
          },
          fetch: (url, init) => {
            activity += 1;
            return dead ? new Promise(() => undefined) : fetch(url, init, process);
          },
          random: () => draws.number(),
          randomBytes: (count) => Uint8Array.from({ length: count }, () => draws.integer(0, 255)),
          environment: {},
          readFile: async () => undefined,
          log: (level, message, about = {}) => {
            activity += 1;
            if (dead) return;
            logs.push({ level, message, about });
            note(
              `log ${level} ${message} ${JSON.stringify(about, (_, value) => (value instanceof Error ? String(value) : value))}`,
            );
          },
        },
      };
      return process;
    },
    async until(work) {
      let done = false;
      const settle = () => {
        done = true;
      };
      // The caller gets the rejection through `work` below.
      work.then(settle, settle);
      await everythingRan();
      while (!done) {
        const timer = timers.shift();
        if (!timer) throw new StuckError("nothing is left that could run, but work is not done");
        if (++jumps > JUMPS_MAX) throw new StuckError(`not done after ${JUMPS_MAX} timers`);
        nowMs = timer.dueMs;
        timer.wake();
        await everythingRan();
      }
      return work;
    },
    note,
    trace,
    logs,
    stir() {
      activity += 1;
    },
    timers: () => timers.filter(({ process }) => process !== undefined).length,
  };
}
