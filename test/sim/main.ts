/**
 * `bun run sim`: many seeds in a row, or one again with all that happened in it. A failure says how to see it again.
 * A new option is a line of OPTIONS.
 */
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { parseArgs } from "node:util";
import { simulate, type Verdict } from "./run";

const OPTIONS = {
  /** How many seeds to run. */
  seeds: { type: "string", default: "1000" },
  /** The first of them. */
  from: { type: "string", default: "1" },
  /** This one alone, with its trace. */
  seed: { type: "string" },
  /** The trace of every seed. */
  verbose: { type: "boolean", default: false },
} as const;

const { values } = parseArgs({ options: OPTIONS });
const only = values.seed;
const from = Number(only ?? values.from);
const count = only === undefined ? Number(values.seeds) : 1;
const isVerbose = values.verbose || only !== undefined;
if (!Number.isSafeInteger(from) || !Number.isSafeInteger(count) || count < 1)
  throw new Error("--seeds, --from and --seed are whole numbers");

const PROGRESS_EVERY = 1_000;
const began = performance.now();
const folder = mkdtempSync(join(tmpdir(), "embedgate-sim-"));
const failed: number[] = [];
let asks = 0;
let calls = 0;
for (let seed = from; seed < from + count; seed++) {
  const verdict = await simulate(seed, folder);
  asks += verdict.asks;
  calls += verdict.calls;
  if (verdict.breach !== undefined) failed.push(seed);
  if (isVerbose || verdict.breach !== undefined) tell(verdict);
  const done = seed - from + 1;
  if (done % PROGRESS_EVERY === 0) console.log(progress(done));
}
rmSync(folder, { recursive: true, force: true });
console.log(`${progress(count)}, ${failed.length} failed${failed.length > 0 ? `: ${failed.join(" ")}` : ""}`);
process.exitCode = failed.length === 0 ? 0 : 1;

function tell({ seed, breach, trace }: Verdict): void {
  for (const line of trace) console.log(line);
  if (breach !== undefined) console.log(`seed ${seed} BROKE: ${breach}\nagain: bun run sim --seed ${seed}\n`);
}

function progress(done: number): string {
  const seconds = (performance.now() - began) / 1000;
  return `${done} seeds, ${asks} requests, ${calls} upstream calls in ${seconds.toFixed(1)} s (${(done / seconds).toFixed(0)} a second)`;
}
