/**
 * Signals of a serving process: the first SIGTERM or SIGINT asks it to end, the second ends it at once; SIGHUP,
 * SIGUSR1 and SIGUSR2 never end it. reloading.ts and src/processes/supervisor.ts handle SIGHUP and SIGUSR2.
 */

/** A shell's exit code of a process that a signal ended. */
export const EXIT_CODES = { SIGINT: 130, SIGTERM: 143 } as const;

/** Call this first: a signal without a handler ends the process, even while it starts or ends. */
export function surviveOtherSignals(): void {
  for (const signal of ["SIGHUP", "SIGUSR1", "SIGUSR2"] as const) process.on(signal, () => undefined);
}

/**
 * Resolves at the first signal, with its name. The second ends the process at once: everything acknowledged is in the ledger.
 * @param atOnce what must be done even then
 */
export function endingSignal(atOnce: () => void = () => undefined): Promise<keyof typeof EXIT_CODES> {
  return new Promise((resolve) => {
    let isEnding = false;
    const hear = (signal: keyof typeof EXIT_CODES) => {
      if (isEnding) {
        atOnce();
        process.exit(EXIT_CODES[signal]);
      }
      isEnding = true;
      resolve(signal);
    };
    process.on("SIGTERM", () => hear("SIGTERM"));
    process.on("SIGINT", () => hear("SIGINT"));
  });
}
