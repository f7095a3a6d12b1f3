/**
 * When JavaScriptCore collects garbage: it reads that from the environment, when it starts, so the executable starts once more with it
 * (execve: the same process, some 4 ms). What the operator's environment says is left as it is. Another option is a member of OPTIONS.
 */
import { isExecutable } from "./executable";

/**
 * A server's garbage is mostly young, and some that is caught in the middle of a request grows old: all is looked through once that is as
 * much as the young may come to, not only at twice as much. Under load a third less memory; it takes 2 µs a request.
 */
const OPTIONS = {
  BUN_JSC_minEdenToOldGenerationRatio: "0.5",
  // What the rule above needs; with 16 GB of memory or more it is JavaScriptCore's own.
  BUN_JSC_smallHeapGrowthFactor: "3",
  // In bytes: more than a start takes, which has nothing to collect.
  BUN_JSC_largeHeapSize: String(24 * 2 ** 20),
} as const;

type Environment = Readonly<Record<string, string | undefined>>;

/** @returns what is to be added to the environment of a command; undefined where there is nothing to add */
export function missingOptions([command]: readonly string[], environment: Environment) {
  // Without a command it serves. Others are over soon.
  const serves = command === undefined || command === "serve" || /^--(config|host|port)\b/.test(command);
  if (!serves) return undefined;
  const missing = Object.entries(OPTIONS).filter(([name]) => environment[name] === undefined);
  return missing.length === 0 ? undefined : Object.fromEntries(missing);
}

/** To be called before anything else: it does not return where it starts once more. From source it does nothing. */
export function startWithOptions(): void {
  if (!isExecutable() || process.platform === "win32") return;
  // The first two are Bun's own, and the name that it gives to what is inside.
  const words = process.argv.slice(2);
  const missing = missingOptions(words, process.env);
  if (missing === undefined) return;
  try {
    process.execve?.(process.execPath, [process.execPath, ...words], { ...process.env, ...missing });
  } catch {
    // Where a sandbox forbids it, it serves with more memory.
  }
}
