/** Ctrl-C and SIGTERM: the first lets the calls in flight finish, so that what was paid is kept; the second does not wait. */

/** As shells have it of a program that Ctrl-C ended. */
export const INTERRUPTED = 130;

/** @returns fires when no further call may begin */
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
