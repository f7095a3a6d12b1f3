/**
 * `bun run bench [--rows A,B,…] [--seconds N] [--rounds N] [--executable FILE]`: the gateway beside a bare pass-through proxy.
 * Rounds are interleaved, so that a machine that is busy for a while is so for both; medians are printed, and ratios.
 */
import { existsSync } from "node:fs";
import { join } from "node:path";
import { parseArgs } from "node:util";
import { build } from "../.ci/build";
import { type Measured, type Setting, startGateway } from "./gateway";
import type { Group, Job, Outcome } from "./load";
import { type Bench, OTHERS } from "./others";
import { cpuSeconds, peakMemory_mb, resetPeak, type Started, start } from "./processes";
import { ROWS, type Row } from "./rows";
import { type Figures, medians, printFigures, printHead, printRatios } from "./table";

const DIMENSIONS = 1536;
const GROWN_DIMENSIONS = 64;
const file = (name: string) => join(import.meta.dir, name);

type Target = Started & Pick<Measured, "key">;

async function load(
  target: Target,
  groups: readonly Group[],
  seconds: number,
  dimensions = DIMENSIONS,
): Promise<Outcome> {
  const job: Job = { port: target.port, key: target.key, seconds, dimensions, groups };
  const child = Bun.spawn([process.execPath, file("load.ts"), JSON.stringify(job)], {
    stdout: "pipe",
    stderr: "inherit",
  });
  return JSON.parse(await new Response(child.stdout).text());
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
    errors,
  } = await load(target, groups, seconds);
  if (errors.length > 0) throw new Error(`wrong answers: ${errors.join("; ")}`);
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
  const [theirs, ours, alone] = results;
  if (ours && theirs) printRatios(ours, theirs);
  if (ours && alone)
    console.log(`  its p99 is ${(ours.p99_ms / alone.p99_ms).toFixed(2)} × that of its own alone`);
}

async function main(): Promise<void> {
  const { values } = parseArgs({
    options: {
      rows: { type: "string", default: [...ROWS, ...OTHERS].map(({ name }) => name).join() },
      seconds: { type: "string", default: "4" },
      rounds: { type: "string", default: "3" },
      executable: { type: "string" },
      durability: { type: "string" },
    },
  });
  const wanted = values.rows.split(",");
  const unknown = wanted.filter((name) => ![...ROWS, ...OTHERS].some((row) => row.name === name));
  if (unknown.length > 0) throw new Error(`no row ${unknown.join()}`);
  const executable = values.executable ?? (await build(file("../dist/embedgate")));
  if (!existsSync(executable)) throw new Error(`there is no ${executable}`);
  const seconds = Number(values.seconds);
  await using upstream = await start([process.execPath, file("upstream.ts"), String(DIMENSIONS)]);
  await using small = await start([process.execPath, file("upstream.ts"), String(GROWN_DIMENSIONS)]);
  const setting = (more: Partial<Setting> = {}): Setting => ({
    executable,
    upstream: more.dimensions === GROWN_DIMENSIONS ? small.port : upstream.port,
    dimensions: DIMENSIONS,
    ...(values.durability === "process" || values.durability === "power"
      ? { durability: values.durability }
      : {}),
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
    await measure(row, baseline, setting(), Number(values.rounds), seconds);
  }
  const bench: Bench = {
    setting,
    load: (target, groups, duration) => load(target, groups, duration, GROWN_DIMENSIONS),
    seconds,
  };
  for (const other of OTHERS.filter(({ name }) => wanted.includes(name))) {
    console.log(`${other.name}: ${other.says}`);
    await other.measure(bench);
  }
}

await main();
