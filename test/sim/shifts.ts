/**
 * Runs very many seeds in child processes that each run some and end: memory stays small, and every processor has work.
 * A child's output goes to the console; only the sums are made here.
 */
import { availableParallelism } from "node:os";
import { join } from "node:path";

/** With more seeds in one process its memory is full of what the compiler keeps. */
export const SEEDS_EACH = 2_000;

/** @returns the seeds that failed */
export async function runShifts(
  from: number,
  count: number,
  options: readonly string[],
): Promise<readonly number[]> {
  const began = performance.now();
  const failed: number[] = [];
  let next = from;
  let done = 0;
  const worker = async () => {
    while (next < from + count) {
      const first = next;
      const seeds = Math.min(SEEDS_EACH, from + count - first);
      next += seeds;
      const child = Bun.spawn(
        [
          process.execPath,
          join(import.meta.dir, "main.ts"),
          `--from=${first}`,
          `--seeds=${seeds}`,
          ...options,
        ],
        { stdout: "pipe", stderr: "inherit" },
      );
      const output = await new Response(child.stdout).text();
      const code = await child.exited;
      const [, broken = ""] = /failed: ([\d ]+)$/m.exec(output) ?? [];
      const own = broken.split(" ").filter(Boolean).map(Number);
      // A process that ended unexpectedly has lost its seeds: the first one stands for them.
      failed.push(...(code === 0 || own.length > 0 ? own : [first]));
      done += seeds;
      const seconds = (performance.now() - began) / 1000;
      console.log(output.trimEnd());
      console.log(`${done} of ${count} seeds in ${seconds.toFixed(0)} s, ${failed.length} failed`);
    }
  };
  await Promise.all(Array.from({ length: availableParallelism() }, worker));
  return failed.sort((a, b) => a - b);
}
