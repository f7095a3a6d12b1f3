/**
 * Waits that end early when the request ends.
 * Code that waits for another's work uses one of these, so that no request waits past its own deadline.
 */
import type { EndSignal } from "./ending";

/** @throws the signal's reason, as soon as it fires */
export function unlessAborted<Value>(signal: EndSignal, work: Promise<Value>): Promise<Value> {
  const { promise, resolve, reject } = Promise.withResolvers<Value>();
  const stop = () => reject(signal.reason);
  if (signal.aborted) stop();
  else signal.addEventListener("abort", stop);
  work.then(
    (value) => {
      signal.removeEventListener("abort", stop);
      resolve(value);
    },
    (cause) => {
      signal.removeEventListener("abort", stop);
      reject(cause);
    },
  );
  return promise;
}

/** Waits for all of them, so that none is still at work when the first failure is thrown. */
export function allDone(works: readonly Promise<void>[]): Promise<void> {
  const [only] = works;
  if (only === undefined) return NOTHING_TO_DO;
  return works.length === 1 ? only : allSettled(works);
}

/** One for all: a promise of its own for each would be many. */
export const NOTHING_TO_DO: Promise<void> = Promise.resolve();

async function allSettled(works: readonly Promise<void>[]): Promise<void> {
  for (const outcome of await Promise.allSettled(works)) {
    if (outcome.status === "rejected") throw outcome.reason;
  }
}
