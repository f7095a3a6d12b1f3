/**
 * Who goes on in the next turn of the event loop: first the steps of requests that wait for one, then at most one slice of all large work. A query
 * takes some ten turns; if a slice ran in each of them, it would wait for ten slices. How long slices may be put off is decided here.
 */

export interface Turns {
  /** Resolves at the end of this turn. */
  readonly turn: () => Promise<void>;
  /** Resolves once the event loop has polled the network. */
  readonly polled: () => Promise<void>;
  /** Resolves when the next slice of large work may run. */
  readonly slice: () => Promise<void>;
}

/** The least time between the beginnings of two slices while other steps wait: slices take a third of a millisecond, so they get a fifth at least. */
const PUT_OFF_MS = 1.5;

/** @param immediate calls back in the next turn, in the order of these calls */
export function createTurns(immediate: (ring: () => void) => void, monotonic: () => number): Turns {
  /** Steps that go on in this turn or the next. */
  let steps = 0;
  /** The wait that has not come to its first turn yet. */
  let polling: Promise<void> | undefined;
  const waiting: (() => void)[] = [];
  let begunAt = Number.NEGATIVE_INFINITY;

  function gone(resolve: () => void): void {
    steps -= 1;
    resolve();
  }

  function nextSlice(): void {
    const now = monotonic();
    if (steps === 0 || now - begunAt >= PUT_OFF_MS) {
      begunAt = now;
      waiting.shift()?.();
    }
    if (waiting.length > 0) immediate(nextSlice);
  }

  return {
    turn: () =>
      new Promise((resolve) => {
        steps += 1;
        immediate(() => gone(resolve));
      }),
    /** The first turn may come before the network is polled, the second comes after. All calls before the first share one wait. */
    polled() {
      polling ??= new Promise((resolve) => {
        steps += 1;
        immediate(() => {
          polling = undefined;
          immediate(() => gone(resolve));
        });
      });
      return polling;
    },
    slice: () =>
      new Promise((resolve) => {
        if (waiting.push(resolve) === 1) immediate(nextSlice);
      }),
  };
}
