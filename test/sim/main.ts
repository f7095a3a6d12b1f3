/**
 * `bun run sim`: runs many seeds in a row, or one seed with a trace. A failure says how to reproduce it.
 * A new option is a line of OPTIONS.
 */
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { parseArgs } from "node:util";
import { catchAll } from "./breakages";
import { simulateMachines } from "./machines/run";
import { simulate, type Verdict } from "./run";
import { runShifts, SEEDS_EACH } from "./shifts";

const OPTIONS = {
  /** How many seeds to run. */
  seeds: { type: "string", default: "1000" },
  /** The first seed. */
  from: { type: "string", default: "1" },
  /** Only this seed, with its trace. */
  seed: { type: "string" },
  /** The trace of every seed. */
  verbose: { type: "boolean", default: false },
  /** Several gateways on one database, with seeds of its own. */
  machines: { type: "boolean", default: false },
  /** Stop at the first seed that fails. */
  "until-red": { type: "boolean", default: false },
  /** Check that deliberate breakages are caught, with at most this many seeds. */
  breakages: { type: "boolean", default: false },
} as const;

const PROGRESS_EVERY = 1_000;

const { values } = parseArgs({ options: OPTIONS });
const from = Number(values.seed ?? values.from);
const count = values.seed === undefined ? Number(values.seeds) : 1;
if (!Number.isSafeInteger(from) || !Number.isSafeInteger(count) || count < 1)
  throw new Error("--seeds, --from and --seed are whole numbers");
const isGood = values.breakages
  ? await tellBreakages()
  : await (count > SEEDS_EACH ? tellShifts() : tellSeeds());
// The engine of a simulated PostgreSQL would keep the process alive.
process.exit(isGood ? 0 : 1);

/** The unbroken code must pass first: otherwise a failure proves nothing. */
async function tellBreakages(): Promise<boolean> {
  if (!(await tellSeeds())) return false;
  const all = await catchAll(count, ({ name, seed, what }) =>
    console.log(`${seed === undefined ? "MISSED" : `seed ${seed} caught`} ${name}: ${what.slice(0, 200)}`),
  );
  const missed = all.filter(({ seed }) => seed === undefined);
  console.log(`${all.length - missed.length} of ${all.length} breakages caught`);
  return missed.length === 0;
}

async function tellShifts(): Promise<boolean> {
  const failed = await runShifts(from, count, [
    ...(values.verbose ? ["--verbose"] : []),
    ...(values.machines ? ["--machines"] : []),
  ]);
  console.log(`${count} seeds, ${failed.length} failed${failed.length > 0 ? `: ${failed.join(" ")}` : ""}`);
  return failed.length === 0;
}

async function tellSeeds(): Promise<boolean> {
  const began = performance.now();
  const folder = mkdtempSync(join(tmpdir(), "embedgate-sim-"));
  const failed: number[] = [];
  let [done, asks, calls] = [0, 0, 0];
  const progress = () => {
    const seconds = (performance.now() - began) / 1000;
    return `${done} seeds, ${asks} requests, ${calls} upstream calls in ${seconds.toFixed(1)} s (${(done / seconds).toFixed(0)} a second)`;
  };
  for (let seed = from; seed < from + count; seed++) {
    const verdict = await (values.machines ? simulateMachines : simulate)(seed, folder);
    done += 1;
    asks += verdict.asks;
    calls += verdict.calls;
    if (verdict.breach !== undefined) failed.push(seed);
    tell(verdict);
    if (done % PROGRESS_EVERY === 0) console.log(progress());
    if (failed.length > 0 && values["until-red"]) break;
  }
  rmSync(folder, { recursive: true, force: true });
  console.log(`${progress()}, ${failed.length} failed${failed.length > 0 ? `: ${failed.join(" ")}` : ""}`);
  return failed.length === 0;
}

function tell({ seed, breach, trace }: Verdict): void {
  if (values.verbose || values.seed !== undefined || breach !== undefined)
    for (const line of trace) console.log(line);
  if (breach !== undefined)
    console.log(
      `seed ${seed} BROKE: ${breach}\nagain: bun run sim ${values.machines ? "--machines " : ""}--seed ${seed}\n`,
    );
}
