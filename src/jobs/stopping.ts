/** Ctrl-C and SIGTERM: the first one lets the calls in flight finish, so that what was paid is kept; the second one does not wait. */

/** The exit code that shells use for a program ended by Ctrl-C. */
export const INTERRUPTED = 130;

/** @returns a signal that fires when no further call may start */
export function stopping(note: (words: string) => void): AbortSignal {
  const stop = new AbortController();
  const heard = () => {
    if (stop.signal.aborted) process.exit(INTERRUPTED);
    note("Stopping once the calls in flight are done. Ctrl-C again ends at once.");
    stop.abort(new Error("interrupted"));
  };
  process.on("SIGINT", heard);
  process.on("SIGTERM", heard);
  return stop.signal;
}
