/**
 * What is read for every request, kept until it may have changed: SQLite counts the commits of other connections, and our own tell here.
 * The count is asked for once in a turn of the event loop, so that another process's change is seen a turn later; our own at once.
 */
import type { Outside } from "../domain/outside";

export interface Recent {
  /** `ask`, answered from what it answered before. An error is not kept, nor is `undefined`: what is not there may be made by anybody. */
  once<Value>(ask: (key: string) => Value): (key: string) => Value;
  forget(): void;
}

/** Callers choose some of the keys. */
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
