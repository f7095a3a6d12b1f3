/**
 * Which targets have answered something of this request: a refusal is blamed on an input only if another call to the same target succeeded.
 * A part that was refused alone may wait here until another call of the request has ended.
 */
import type { Target } from "../domain/request";

export interface Evidence {
  /** A call of the request, and everything that follows from it, is in flight. */
  begin(): void;
  end(): void;
  answered(target: Target): void;
  isThere(target: Target): boolean;
  /** Waits for an answer of the target. Resolves with false once all that is left in flight waits here. */
  awaited(target: Target): Promise<boolean>;
}

export function createEvidence(): Evidence {
  const answered = new Set<Target>();
  const waiting = new Set<() => void>();
  let underWay = 0;
  const wakeAll = () => {
    for (const wake of waiting) wake();
  };
  return {
    begin() {
      underWay += 1;
    },
    end() {
      underWay -= 1;
      if (underWay === 0) wakeAll();
    },
    answered(target) {
      answered.add(target);
      wakeAll();
    },
    isThere: (target) => answered.has(target),
    async awaited(target) {
      while (!answered.has(target) && underWay > 0) {
        const { promise: woken, resolve } = Promise.withResolvers<void>();
        waiting.add(resolve);
        await woken;
        waiting.delete(resolve);
      }
      return answered.has(target);
    },
  };
}
