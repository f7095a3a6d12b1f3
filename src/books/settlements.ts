/**
 * A queue for the end of a workspace's credits: a request that would fit after others have settled waits here for the next one to
 * settle, first come first served. Other processes' settlements are not noticed, so each request asks again after a short time.
 */
import { Ending, type EndSignal } from "../domain/ending";
import type { Outside } from "../domain/outside";

export interface Settlements {
  /** How many settlements the workspace has had: read this before the database, and pass it to `next`. */
  count(workspace: string): number;
  /** Resolves at the next settlement, or at once if there was one since `seen`. @throws the signal's reason */
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
        // Being woken early is fine.
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
      // Nobody waits. A request that has read its count finds no queue any more, and asks again.
      if (queue.waiting.length === 0) queues.delete(workspace);
      else queue.waiting.shift()?.();
    },
  };
}
