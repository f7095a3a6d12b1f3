/**
 * The outside world for tests: a clock that moves only when the test moves it, seeded randomness, collected log lines, no network.
 * A new member of src/domain/outside.ts gets its deterministic fake here; a test passes its own for what it tests (`fetch`, mostly).
 */
import type { LogLevel, Outside } from "../src/domain/outside";
import { turns } from "./stores/under-way";

export interface LogLine {
  readonly level: LogLevel;
  readonly message: string;
  readonly about: Readonly<Record<string, unknown>>;
}

export interface FakeOutside {
  readonly outside: Outside;
  readonly logs: readonly LogLine[];
  /** Moves the clock. Each sleep that ends meanwhile ends at its own time, in order, and code that it wakes runs before the next one ends. */
  advance(ms: number): Promise<void>;
  /**
   * Awaits `work`, moving the clock from one sleep's end to the next until the work is done.
   * Only for work on this process's own promises and on its database: a Worker's answer cannot be seen here, and the clock would run past it.
   */
  until<Value>(work: Promise<Value>): Promise<Value>;
  /** Milliseconds from now to the end of each pending sleep, soonest first: an empty list means that every timer was freed. */
  sleeping(): readonly number[];
}

/** An arbitrary noon; every test starts there. */
export const STARTED_AT = Date.UTC(2027, 0, 15, 12);

interface Sleeper {
  readonly dueAt: number;
  readonly wake: () => void;
}

/** @param overrides the test's own members of the outside world; `seed` decides the random numbers. */
export function fakeOutside(overrides: Partial<Outside> = {}, seed = 1): FakeOutside {
  let now = STARTED_AT;
  const sleepers: Sleeper[] = [];
  const logs: LogLine[] = [];
  const random = seededRandom(seed);
  let sleepBegan = () => {};

  const sleep: Outside["sleep"] = (ms, signal) =>
    new Promise((resolve, reject) => {
      if (signal?.aborted) return reject(signal.reason);
      const stop = () => {
        sleepers.splice(sleepers.indexOf(sleeper), 1);
        reject(signal?.reason);
      };
      const wake = () => {
        signal?.removeEventListener("abort", stop);
        resolve();
      };
      const sleeper = { dueAt: now + Math.max(0, ms), wake };
      // Sleeps that end at the same time end in the order in which they started.
      const later = sleepers.findIndex(({ dueAt }) => dueAt > sleeper.dueAt);
      sleepers.splice(later < 0 ? sleepers.length : later, 0, sleeper);
      signal?.addEventListener("abort", stop);
      sleepBegan();
    });

  const alarm: Outside["alarm"] = (ms, ring) => {
    const called = new AbortController();
    sleep(ms, called.signal).then(ring, () => undefined);
    return () => called.abort();
  };

  function wakeNext(): void {
    const sleeper = sleepers.shift();
    if (!sleeper) return;
    now = sleeper.dueAt;
    sleeper.wake();
  }

  return {
    outside: {
      now: () => now,
      monotonic: () => now - STARTED_AT,
      sleep,
      alarm,
      fetch: (url) => Promise.reject(new Error(`No network in this test: ${url}`)),
      random,
      randomBytes: (count) => Uint8Array.from({ length: count }, () => Math.floor(random() * 256)),
      environment: {},
      readFile: async () => undefined,
      log: (level, message, about = {}) => logs.push({ level, message, about }),
      ...overrides,
    },
    logs,
    async advance(ms) {
      const end = now + ms;
      await everythingRan();
      for (let next = sleepers[0]; next && next.dueAt <= end; next = sleepers[0]) {
        wakeNext();
        await everythingRan();
      }
      now = end;
    },
    async until(work) {
      let done = false;
      const settled = work.then(
        () => {
          done = true;
        },
        () => {
          // The caller gets the rejection itself, from `work` below.
          done = true;
        },
      );
      await everythingRan();
      while (!done) {
        if (sleepers.length > 0) wakeNext();
        else
          await Promise.race([
            settled,
            new Promise<void>((began) => {
              sleepBegan = began;
            }),
          ]);
        await everythingRan();
      }
      return work;
    },
    sleeping: () => sleepers.map(({ dueAt }) => dueAt - now),
  };
}

/** Numbers in [0, 1) that depend on the seed only (mulberry32). */
function seededRandom(seed: number): () => number {
  let state = seed >>> 0;
  return () => {
    state = (state + 0x6d2b79f5) >>> 0;
    let mixed = Math.imul(state ^ (state >>> 15), state | 1);
    mixed ^= mixed + Math.imul(mixed ^ (mixed >>> 7), mixed | 61);
    return ((mixed ^ (mixed >>> 14)) >>> 0) / 2 ** 32;
  };
}

/** All promises that can settle have settled; streams and bodies take more than one turn. */
const everythingRan = () => turns(8);
