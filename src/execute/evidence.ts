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

/** Its sets are made when they are needed: a request of one call needs none. */
class OfRequest implements Evidence {
  private targets: Target[] | undefined;
  private waiting: Set<() => void> | undefined;
  private underWay = 0;

  begin(): void {
    this.underWay += 1;
  }

  end(): void {
    this.underWay -= 1;
    if (this.underWay === 0) this.wakeAll();
  }

  answered(target: Target): void {
    if (!this.isThere(target)) {
      if (this.targets) this.targets.push(target);
      else this.targets = [target];
    }
    this.wakeAll();
  }

  isThere(target: Target): boolean {
    return this.targets?.includes(target) ?? false;
  }

  async awaited(target: Target): Promise<boolean> {
    this.waiting ??= new Set();
    while (!this.isThere(target) && this.underWay > 0) {
      const { promise: woken, resolve } = Promise.withResolvers<void>();
      this.waiting.add(resolve);
      await woken;
      this.waiting.delete(resolve);
    }
    return this.isThere(target);
  }

  private wakeAll(): void {
    if (this.waiting) for (const wake of this.waiting) wake();
  }
}

export const createEvidence = (): Evidence => new OfRequest();
