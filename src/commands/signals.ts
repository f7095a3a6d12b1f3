/**
 * What SIGTERM and SIGINT do to a process that serves: the first asks it to end, the second ends it where it stands.
 */

/** What a shell makes of a process that a signal ended. */
export const EXIT_CODES = { SIGINT: 130, SIGTERM: 143 } as const;

/**
 * Resolves at the first signal. The second ends the process where it stands: what was acknowledged is in the ledger.
 * @param atOnce what must be done even then
 */
export function endingSignal(atOnce: () => void = () => undefined): Promise<void> {
  return new Promise((resolve) => {
    let isEnding = false;
    const hear = (signal: keyof typeof EXIT_CODES) => {
      if (isEnding) {
        atOnce();
        process.exit(EXIT_CODES[signal]);
      }
      isEnding = true;
      resolve();
    };
    process.on("SIGTERM", () => hear("SIGTERM"));
    process.on("SIGINT", () => hear("SIGINT"));
  });
}
