/**
 * The Worker that tokenizes, so that no text, however hostile, blocks the event loop. Jobs take turns, step by step, and a job ends when its
 * caller has gone. jobs.ts has the jobs.
 */
import { type Cancel, type Done, type Job, perform } from "./jobs";
import type { Steps } from "./token";

declare const self: Worker;

// The executable starts each thread with a delayed JIT (.ci/build.ts): this ends the delay.
Bun.unsafe.setJITPolicy(1);

const underWay = new Map<number, Steps<Done>>();

self.onmessage = ({ data: job }: MessageEvent<Job | Cancel>) => {
  if (job.kind === "cancel") {
    underWay.delete(job.id);
    return;
  }
  underWay.set(job.id, perform(job));
  if (underWay.size === 1) void takeTurns();
};

async function takeTurns(): Promise<void> {
  while (underWay.size > 0) {
    for (const [id, steps] of underWay) {
      const { done, value } = steps.next();
      if (!done) continue;
      underWay.delete(id);
      self.postMessage(value);
    }
    // Lets new jobs and cancellations arrive.
    await new Promise<void>((resolve) => setImmediate(resolve));
  }
}
