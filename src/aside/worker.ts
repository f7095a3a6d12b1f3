/**
 * A Worker's entry point: runs jobs one after another. It must be listed as an entry point in the build of the executable.
 * work.ts has the kinds of work; if the Worker dies, aside.ts starts another one.
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
    // If a sandbox forbids that, the work runs at the usual priority.
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
