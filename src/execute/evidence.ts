/**
 * Which targets have answered something of a request: only beside an answer is a refusal the fault of what was refused.
 * Those that failed alone may wait here until another call of the request has ended.
 */
import type { Target } from "../domain/request";

export interface Evidence {
  /** A call of the request, and whatever it leads to, is under way. */
  begin(): void;
  end(): void;
  answered(target: Target): void;
  isThere(target: Target): boolean;
  /** Waits for an answer of the target. False once nothing is under way any more but those who wait here. */
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
