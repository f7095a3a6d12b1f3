/**
 * A Worker's entry: performs orders one after another. It must be among the entry points when the executable is built.
 * What it can do is said in work.ts; what ends it is seen by aside.ts, which starts another one.
 */
import { setPriority } from "node:os";
import { type Order, type Reply, WORK, type WorkName } from "./work";

declare const self: Worker;

// The executable starts each thread with a delayed JIT (.ci/build.ts): this ends the delay.
Bun.unsafe.setJITPolicy(1);

/** What is done here is large, and can wait for small jobs. On Linux alone it is the thread's priority, elsewhere the process's. */
const NICENESS = 10;
if (process.platform === "linux") {
  try {
    setPriority(NICENESS);
  } catch {
    // Where a sandbox forbids it, the work is done at the usual priority.
  }
}

self.onmessage = ({ data }: MessageEvent<Order<WorkName>>) => perform(data);

function perform<Name extends WorkName>({ id, name, job }: Order<Name>): void {
  try {
    const answer = WORK[name].perform(job);
    self.postMessage({ id, answer } satisfies Reply, WORK[name].buffersOf(answer));
  } catch (thrown) {
    const fault = thrown instanceof Error ? (thrown.stack ?? thrown.message) : String(thrown);
    self.postMessage({ id, fault } satisfies Reply);
  }
}
