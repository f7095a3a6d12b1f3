/**
 * Very many seeds, by processes of their own that each run some and end: none grows old, and every processor has work.
 * What a process tells goes on to the console; only the sums are made here.
 */
import { availableParallelism } from "node:os";
import { join } from "node:path";

/** More than that in one process and its memory is full of what the compiler keeps. */
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
      // A process that ended otherwise than by its own count has lost its seeds: the first stands for them.
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
