/**
 * Queue near the end of a workspace's credits: a request that would fit once others have settled waits for the next of
 * them here, first come first served. Other processes' settling is not heard, so nobody waits long without asking again.
 */
import { Ending, type EndSignal } from "../domain/ending";
import type { Outside } from "../domain/outside";

export interface Settlements {
  /** How many the workspace has had: to be read before the database is asked, and given to `next`. */
  count(workspace: string): number;
  /** Resolves with the next settling, or at once where there was one since `seen`. @throws the signal's reason */
  next(workspace: string, seen: number, signal: EndSignal): Promise<void>;
  happened(workspace: string): void;
}

const ASK_AGAIN_AFTER_MS = 250;

interface Queue {
  count: number;
  readonly waiting: (() => void)[];
}

export function createSettlements({ sleep, random }: Pick<Outside, "sleep" | "random">): Settlements {
  const queues = new Map<string, Queue>();
  return {
    count(workspace) {
      const queue = queues.get(workspace) ?? { count: 0, waiting: [] };
      queues.set(workspace, queue);
      return queue.count;
    },
    async next(workspace, seen, signal) {
      const queue = queues.get(workspace);
      if (queue === undefined || queue.count !== seen) return;
      const awake = new Ending();
      const unfollow = awake.follow(signal);
      const wake = () => awake.abort("woken");
      queue.waiting.push(wake);
      try {
        // Woken early is as good as having slept.
        await sleep(ASK_AGAIN_AFTER_MS * (1 + random()), awake).catch(() => undefined);
        signal.throwIfAborted();
      } finally {
        unfollow();
        const place = queue.waiting.indexOf(wake);
        if (place >= 0) queue.waiting.splice(place, 1);
      }
    },
    happened(workspace) {
      const queue = queues.get(workspace);
      if (queue === undefined) return;
      queue.count += 1;
      // Nobody waits: a process that read its count finds no queue any more, and asks again.
      if (queue.waiting.length === 0) queues.delete(workspace);
      else queue.waiting.shift()?.();
    },
  };
}
