/**
 * `bun run bench [--quick] [--rows A,B,…] [--seconds N] [--rounds N] [--executable FILE] [--second FILE] [--database postgres://…] [--write]`:
 * compares the gateway with a bare pass-through proxy; `--count`: counts the objects of one request (count.ts). The measured programs take turns, so
 * that other work on the machine affects all of them. It prints medians, ratios and goals.
 */
import { join } from "node:path";
import { parseArgs } from "node:util";
import { build } from "../.ci/build";
import { countObjects } from "./count";
import { type Measured, type Setting, startGateway } from "./gateway";
import { printGoal, printMissed } from "./goals";
import type { Group, Job, Outcome } from "./load";
import { type Bench, GROWN_DIMENSIONS, OTHERS } from "./others";
import {
  ahead,
  cpuSeconds,
  ENVIRONMENT,
  peakMemory_mb,
  programAt,
  resetPeak,
  type Started,
  start,
} from "./processes";
import { ROWS, type Row } from "./rows";
import { say, writeResults } from "./said";
import { startSecond } from "./second";
import { type Figures, medians, printFigures, printHead, printRatios } from "./table";
import { makeTls } from "./tls";

const DIMENSIONS = 1536;
/** Numbers of texts reserved for each load: more than any load sends. */
const NUMBERS_A_LOAD = 100_000_000;
const file = (name: string) => join(import.meta.dir, name);

type Target = Started & Pick<Measured, "key">;
let loads = 0;

async function load(
  target: Target,
  groups: readonly Group[],
  seconds: number,
  more: Partial<Job> = {},
  isAhead = false,
): Promise<Outcome> {
  loads += 1;
  const firstNumber = loads * NUMBERS_A_LOAD;
  const { port, key } = target;
  const job: Job = { port, key, seconds, dimensions: DIMENSIONS, groups, firstNumber, ...more };
  const command = [process.execPath, file("load.ts"), JSON.stringify(job)];
  const child = Bun.spawn(isAhead ? [...ahead(command)] : command, {
    stdout: "pipe",
    stderr: "inherit",
  });
  const outcome: Outcome = JSON.parse(await new Response(child.stdout).text());
  if (outcome.errors.length > 0) throw new Error(`wrong answers: ${outcome.errors.join("; ")}`);
  return outcome;
}

/** How much longer the other groups run, before and after the measured time. */
const AROUND_SECONDS = 1;

/** Runs the first group in its own process: a process that reads answers of 40 MB cannot time a single query. */
async function loadBeside(
  target: Target,
  groups: readonly Group[],
  seconds: number,
  isAhead: boolean,
): Promise<Outcome> {
  const [first, ...others] = groups;
  if (first === undefined || others.length === 0) return load(target, groups, seconds, {}, isAhead);
  const around = load(target, others, seconds + 2 * AROUND_SECONDS);
  await Bun.sleep(AROUND_SECONDS * 1000);
  const own = await load(target, [first], seconds, {}, isAhead);
  return { ...own, requestsInAll: own.requestsInAll + (await around).requestsInAll };
}

async function figuresOf(
  target: Target,
  groups: readonly Group[],
  seconds: number,
  isAhead = false,
): Promise<Figures> {
  resetPeak(target.pid);
  const before = cpuSeconds(target.pid);
  const {
    requests,
    requestsInAll,
    seconds: took,
    p50_ms,
    p99_ms,
  } = await loadBeside(target, groups, seconds, isAhead);
  return {
    perSecond: requests / took,
    p50_ms,
    p99_ms,
    cpuPerThousand_s: ((cpuSeconds(target.pid) - before) / requestsInAll) * 1000,
    peak_mb: peakMemory_mb(target.pid),
  };
}

/** The JIT compilers need some ten seconds of load. */
const WARM_SECONDS = 2;
const WARM_ROUNDS_MAX = 10;
/** Two rounds in a row that differ by at most this share are steady. */
const STEADY = 0.04;

async function warmUp(target: Target, groups: readonly Group[], quick: boolean): Promise<void> {
  let before = 0;
  for (let round = 0; round < (quick ? 1 : WARM_ROUNDS_MAX); round += 1) {
    const { perSecond } = await figuresOf(target, groups, WARM_SECONDS);
    if (Math.abs(perSecond - before) <= STEADY * perSecond) return;
    before = perSecond;
  }
}

interface Pace {
  readonly rounds: number;
  readonly seconds: number;
  readonly quick: boolean;
}

/** @param second another gateway, which is printed for comparison */
async function measure(
  row: Row,
  gateway: Target,
  baseline: Started,
  second: Started | undefined,
  { rounds, seconds, quick }: Pace,
): Promise<void> {
  const { groups, beside, isAhead = false } = row;
  const targets = [
    // The proxy knows no models, so a far-away provider is chosen by the path.
    { name: "proxy", target: { ...baseline, key: "none" }, groups },
    { name: "embedgate", target: gateway, groups },
    ...(beside ? [{ name: beside.name, target: gateway, groups: beside.groups }] : []),
    ...(second ? [{ name: "second", target: { ...second, key: "none" }, groups }] : []),
  ];
  for (const { target, groups: asked } of targets) await warmUp(target, asked, quick);
  const seen = targets.map((): Figures[] => []);
  for (let round = 0; round < rounds; round += 1) {
    for (const [i, { target, groups: asked }] of targets.entries())
      seen[i]?.push(await figuresOf(target, asked, seconds, isAhead));
  }
  const results = new Map(targets.map(({ name }, i) => [name, medians(seen[i] ?? [])]));
  for (const [name, figures] of results) printFigures(name, figures);
  const proxy = results.get("proxy");
  const ours = results.get("embedgate");
  if (!ours || !proxy) return;
  printRatios(ours, proxy);
  for (const goal of row.goals) {
    const other = beside && results.get(beside.name);
    const over = goal.over === "nothing" ? 1 : (goal.over === "beside" ? other : proxy)?.[goal.figure];
    printGoal(row.name, goal, ours[goal.figure] / (over ?? Number.NaN));
  }
}

/** The path of the far-away provider, for programs that know no models. */
const farPath = (groups: readonly Group[]) =>
  groups.some(({ model }) => model === "far" || model === "tls-far") ? "/far" : "";

async function main(): Promise<void> {
  const { values } = parseArgs({
    options: {
      rows: { type: "string", default: [...ROWS, ...OTHERS].map(({ name }) => name).join() },
      quick: { type: "boolean", default: false },
      seconds: { type: "string" },
      rounds: { type: "string" },
      executable: { type: "string" },
      durability: { type: "string" },
      database: { type: "string" },
      second: { type: "string" },
      count: { type: "boolean", default: false },
      write: { type: "boolean", default: false },
    },
  });
  const { quick, durability } = values;
  const second = values.second === undefined ? undefined : programAt(values.second);
  const seconds = Number(values.seconds ?? (quick ? 1 : 4));
  const rounds = Number(values.rounds ?? (quick ? 1 : 3));
  const wanted = values.rows.split(",");
  const unknown = wanted.filter((name) => ![...ROWS, ...OTHERS].some((row) => row.name === name));
  if (unknown.length > 0) throw new Error(`no row ${unknown.join()}`);
  const executable = programAt(values.executable ?? (await build(file("../dist/embedgate"))));
  using tls = makeTls();
  const fake = [process.execPath, file("upstream.ts")];
  await using upstream = await start([...fake, String(DIMENSIONS)]);
  await using small = await start([...fake, String(GROWN_DIMENSIONS)]);
  await using search = await start(ahead([...fake, String(DIMENSIONS)]));
  await using secured = await start([...fake, String(DIMENSIONS), tls.cert, tls.key]);
  const setting = (more: Partial<Setting> = {}): Setting => ({
    executable,
    upstream: more.dimensions === GROWN_DIMENSIONS ? small.port : upstream.port,
    search: search.port,
    dimensions: DIMENSIONS,
    tls: { port: secured.port, ca: tls.ca },
    ...(durability === "process" || durability === "power" ? { durability } : {}),
    ...more,
  });
  if (values.count) {
    await countObjects(setting(), async ({ port, key }, group, requests) => {
      await load({ ...upstream, port, key }, [group], 600, { requests });
    });
    printMissed();
    return;
  }
  /** Starts the proxy for the provider of the row's first group. */
  const startProxy = ({ isTls = false, groups }: Pick<Row, "isTls" | "groups">) => {
    const origin = isTls ? `https://localhost:${secured.port}` : `http://127.0.0.1:${upstream.port}`;
    return start([process.execPath, file("proxy.ts"), origin + farPath(groups)], undefined, {
      environment: { ...ENVIRONMENT, NODE_EXTRA_CA_CERTS: tls.ca },
    });
  };
  const rows = ROWS.filter(({ name }) => wanted.includes(name));
  if (rows.length > 0) printHead();
  for (const row of rows) {
    say(`${row.name}: ${row.says}`);
    await using baseline = await startProxy(row);
    await using other =
      second === undefined || row.isTls
        ? undefined
        : await startSecond(second, `http://127.0.0.1:${upstream.port}${farPath(row.groups)}`);
    await using gateway = await startGateway(setting(row.cache ? { cache: row.cache } : {}));
    await measure(row, gateway, baseline, other, { rounds, seconds, quick });
  }
  const { database } = values;
  const bench: Bench = { setting, load, startProxy, seconds, rounds, quick, database };
  for (const other of OTHERS.filter(({ name }) => wanted.includes(name))) {
    say(`${other.name}: ${other.says}`);
    await other.measure(bench);
  }
  printMissed();
  if (values.write)
    console.log(`written to ${writeResults(["bun run bench", ...process.argv.slice(2)].join(" "))}`);
}

await main();
