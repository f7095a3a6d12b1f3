/**
 * `bun run bench [--quick] [--rows A,B,…] [--seconds N] [--rounds N] [--executable FILE]`: the gateway beside a bare pass-through proxy.
 * Rounds are interleaved, so that a machine that is busy for a while is so for both; medians are printed, ratios and goals.
 */
import { existsSync } from "node:fs";
import { join } from "node:path";
import { parseArgs } from "node:util";
import { build } from "../.ci/build";
import { type Measured, type Setting, startGateway } from "./gateway";
import { printGoal, printMissed } from "./goals";
import type { Group, Job, Outcome } from "./load";
import { type Bench, GROWN_DIMENSIONS, OTHERS } from "./others";
import { cpuSeconds, peakMemory_mb, resetPeak, type Started, start } from "./processes";
import { ROWS, type Row } from "./rows";
import { type Figures, medians, printFigures, printHead, printRatios } from "./table";

const DIMENSIONS = 1536;
/** More than any load sends. */
const NUMBERS_A_LOAD = 100_000_000;
const file = (name: string) => join(import.meta.dir, name);

type Target = Started & Pick<Measured, "key">;
let loads = 0;

async function load(
  target: Target,
  groups: readonly Group[],
  seconds: number,
  more: Partial<Job> = {},
): Promise<Outcome> {
  loads += 1;
  const firstNumber = loads * NUMBERS_A_LOAD;
  const { port, key } = target;
  const job: Job = { port, key, seconds, dimensions: DIMENSIONS, groups, firstNumber, ...more };
  const child = Bun.spawn([process.execPath, file("load.ts"), JSON.stringify(job)], {
    stdout: "pipe",
    stderr: "inherit",
  });
  const outcome: Outcome = JSON.parse(await new Response(child.stdout).text());
  if (outcome.errors.length > 0) throw new Error(`wrong answers: ${outcome.errors.join("; ")}`);
  return outcome;
}

/** Time that the others take to be at work, before and after. */
const AROUND_SECONDS = 1;

/** The first group in a process of its own: whoever reads answers of 40 MB cannot time a single query at the same time. */
async function loadBeside(target: Target, groups: readonly Group[], seconds: number): Promise<Outcome> {
  const [first, ...others] = groups;
  if (first === undefined || others.length === 0) return load(target, groups, seconds);
  const around = load(target, others, seconds + 2 * AROUND_SECONDS);
  await Bun.sleep(AROUND_SECONDS * 1000);
  const own = await load(target, [first], seconds);
  return { ...own, requestsInAll: own.requestsInAll + (await around).requestsInAll };
}

async function figuresOf(target: Target, groups: readonly Group[], seconds: number): Promise<Figures> {
  resetPeak(target.pid);
  const before = cpuSeconds(target.pid);
  const {
    requests,
    requestsInAll,
    seconds: took,
    p50_ms,
    p99_ms,
  } = await loadBeside(target, groups, seconds);
  return {
    perSecond: requests / took,
    p50_ms,
    p99_ms,
    cpuPerThousand_s: ((cpuSeconds(target.pid) - before) / requestsInAll) * 1000,
    peak_mb: peakMemory_mb(target.pid),
  };
}

async function measure(
  row: Row,
  baseline: Started,
  setting: Setting,
  rounds: number,
  seconds: number,
): Promise<void> {
  await using gateway = await startGateway({ ...setting, ...(row.cache ? { cache: row.cache } : {}) });
  const raw = { ...baseline, key: "none" };
  const targets = [
    // The proxy knows no models: what is far away for the gateway is so by its path.
    { name: "proxy", target: raw, groups: row.groups },
    { name: "embedgate", target: gateway, groups: row.groups },
    ...(row.alone ? [{ name: "alone", target: gateway, groups: row.groups.slice(0, 1) }] : []),
  ];
  const seen = targets.map((): Figures[] => []);
  // The first round warms up, and is not counted.
  for (let round = 0; round <= rounds; round += 1) {
    for (const [i, { target, groups }] of targets.entries()) {
      const figures = await figuresOf(target, groups, round === 0 ? Math.min(2, seconds) : seconds);
      if (round > 0) seen[i]?.push(figures);
    }
  }
  const results = seen.map(medians);
  for (const [i, { name }] of targets.entries()) {
    const figures = results[i];
    if (figures) printFigures(name, figures);
  }
  const [proxy, ours, alone] = results;
  if (!ours || !proxy) return;
  printRatios(ours, proxy);
  for (const goal of row.goals) {
    const over = goal.over === "nothing" ? 1 : (goal.over === "alone" ? alone : proxy)?.[goal.figure];
    printGoal(row.name, goal, ours[goal.figure] / (over ?? Number.NaN));
  }
}

async function main(): Promise<void> {
  const { values } = parseArgs({
    options: {
      rows: { type: "string", default: [...ROWS, ...OTHERS].map(({ name }) => name).join() },
      quick: { type: "boolean", default: false },
      seconds: { type: "string" },
      rounds: { type: "string" },
      executable: { type: "string" },
      durability: { type: "string" },
    },
  });
  const { quick, durability } = values;
  const seconds = Number(values.seconds ?? (quick ? 1 : 4));
  const rounds = Number(values.rounds ?? (quick ? 1 : 3));
  const wanted = values.rows.split(",");
  const unknown = wanted.filter((name) => ![...ROWS, ...OTHERS].some((row) => row.name === name));
  if (unknown.length > 0) throw new Error(`no row ${unknown.join()}`);
  const executable = values.executable ?? (await build(file("../dist/embedgate")));
  if (!existsSync(executable)) throw new Error(`there is no ${executable}`);
  await using upstream = await start([process.execPath, file("upstream.ts"), String(DIMENSIONS)]);
  await using small = await start([process.execPath, file("upstream.ts"), String(GROWN_DIMENSIONS)]);
  const setting = (more: Partial<Setting> = {}): Setting => ({
    executable,
    upstream: more.dimensions === GROWN_DIMENSIONS ? small.port : upstream.port,
    dimensions: DIMENSIONS,
    ...(durability === "process" || durability === "power" ? { durability } : {}),
    ...more,
  });
  const rows = ROWS.filter(({ name }) => wanted.includes(name));
  if (rows.length > 0) printHead();
  for (const row of rows) {
    console.log(`${row.name}: ${row.says}`);
    const far = row.groups.some(({ model }) => model === "far") ? "/far" : "";
    await using baseline = await start([
      process.execPath,
      file("proxy.ts"),
      `http://127.0.0.1:${upstream.port}${far}`,
    ]);
    await measure(row, baseline, setting(), rounds, seconds);
  }
  const bench: Bench = { setting, load, seconds, rounds, quick };
  for (const other of OTHERS.filter(({ name }) => wanted.includes(name))) {
    console.log(`${other.name}: ${other.says}`);
    await other.measure(bench);
  }
  printMissed();
}

await main();
