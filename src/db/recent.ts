/**
 * Caches what every request reads until it may have changed: SQLite counts the commits of other connections, and our own commits report here.
 * The count is read once per turn of the event loop: another process's change is seen one turn later, our own at once.
 */
import type { Outside } from "../domain/outside";

export interface Recent {
  /** Caches the results of `ask`. Errors and `undefined` are not cached: another process may create what is missing. */
  once<Value>(ask: (key: string) => Value): (key: string) => Value;
  forget(): void;
}

/** Callers choose some of the keys, so their number is limited. */
const KEPT_MAX = 10_000;

/** @param version changes with each commit of another connection */
export function createRecent(
  { turn = () => Promise.resolve() }: Pick<Outside, "turn">,
  version: () => unknown,
): Recent {
  const kept = new Set<Map<string, unknown>>();
  let seen: unknown;
  let isChecked = false;

  function forget(): void {
    for (const answers of kept) answers.clear();
  }

  function check(): void {
    const now = version();
    if (now !== seen) forget();
    seen = now;
    isChecked = true;
    void turn().then(() => {
      isChecked = false;
    });
  }

  return {
    once<Value>(ask: (key: string) => Value) {
      const answers = new Map<string, Value>();
      kept.add(answers);
      return (key) => {
        if (!isChecked) check();
        const known = answers.get(key);
        if (known !== undefined) return known;
        const value = ask(key);
        if (answers.size >= KEPT_MAX) answers.clear();
        if (value !== undefined) answers.set(key, value);
        return value;
      };
    },
    forget,
  };
}
