/**
 * What is read for every request, read once for all requests of a turn of the event loop: each read by itself takes SQLite's locks.
 * Another process's change is seen a turn later; our own at once, since every commit forgets all of it.
 */
import type { Outside } from "../outside";

export interface Recent {
  /** `ask`, answered from what it answered earlier in the same turn. An error is not kept. */
  once<Value>(ask: (key: string) => Value): (key: string) => Value;
  forget(): void;
}

export function createRecent({ turn = () => Promise.resolve() }: Pick<Outside, "turn">): Recent {
  const kept = new Set<Map<string, unknown>>();
  let isEnding = false;

  function forget(): void {
    for (const answers of kept) answers.clear();
  }

  async function forgetAfterTurn(): Promise<void> {
    isEnding = true;
    await turn();
    isEnding = false;
    forget();
  }

  return {
    once<Value>(ask: (key: string) => Value) {
      const answers = new Map<string, { readonly value: Value }>();
      kept.add(answers);
      return (key) => {
        const known = answers.get(key);
        if (known) return known.value;
        const value = ask(key);
        answers.set(key, { value });
        if (!isEnding) void forgetAfterTurn();
        return value;
      };
    },
    forget,
  };
}
