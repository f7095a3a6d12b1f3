/**
 * What signals do to a process that serves: of SIGTERM and SIGINT the first asks it to end, the second ends it at once; SIGHUP,
 * SIGUSR1 and SIGUSR2 never do. What SIGHUP and SIGUSR2 ask for is handled where it is done (reloading.ts, src/processes/supervisor.ts).
 */

/** A shell's exit code of a process that a signal ended. */
export const EXIT_CODES = { SIGINT: 130, SIGTERM: 143 } as const;

/** Call first: a signal without a handler ends the process, also while it starts or ends. */
export function surviveOtherSignals(): void {
  for (const signal of ["SIGHUP", "SIGUSR1", "SIGUSR2"] as const) process.on(signal, () => undefined);
}

/**
 * Resolves at the first signal, with its name. The second ends the process at once: what was acknowledged is in the ledger.
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
