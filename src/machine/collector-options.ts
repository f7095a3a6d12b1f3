/**
 * Options for JavaScriptCore's garbage collector. It reads them from the environment when it starts, so the executable restarts itself with them
 * (execve: the same process, some 4 ms). Options in the operator's environment are kept. To add an option, add a member to OPTIONS.
 */
import { isExecutable } from "./executable";

/**
 * Most garbage of a server is young, but objects of requests in flight get promoted. With these options a full collection runs once the promoted
 * objects take as much as the young generation may, not twice as much: a third less memory under load, for 2 µs per request.
 */
const OPTIONS = {
  BUN_JSC_minEdenToOldGenerationRatio: "0.5",
  // The option above needs this value, which is JavaScriptCore's default with 16 GB of memory or more.
  BUN_JSC_smallHeapGrowthFactor: "3",
  // In bytes: more than a start uses, so that nothing is collected then.
  BUN_JSC_largeHeapSize: String(24 * 2 ** 20),
} as const;

type Environment = Readonly<Record<string, string | undefined>>;

/** `serve` is also the default command. Other commands end soon. */
export const isServe = ([command]: readonly string[]): boolean =>
  command === undefined || command === "serve" || /^--(config|host|port)\b/.test(command);

/** @returns the variables to add to the environment of a command; undefined if there are none */
export function missingOptions(words: readonly string[], environment: Environment) {
  if (!isServe(words)) return undefined;
  const missing = Object.entries(OPTIONS).filter(([name]) => environment[name] === undefined);
  return missing.length === 0 ? undefined : Object.fromEntries(missing);
}

/** Call this before anything else. It does not return if it restarts the executable; from source it does nothing. */
export function startWithOptions(): void {
  if (!isExecutable() || process.platform === "win32") return;
  // The first two arguments are Bun's: the executable, and the name of the script inside.
  const words = process.argv.slice(2);
  const missing = missingOptions(words, process.env);
  if (missing === undefined) return;
  try {
    process.execve?.(process.execPath, [process.execPath, ...words], { ...process.env, ...missing });
  } catch {
    // If a sandbox forbids execve, the gateway runs without the options and uses more memory.
  }
}
