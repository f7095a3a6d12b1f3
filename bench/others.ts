/**
 * Rows without a baseline: the start, the model inside, a gateway with much data, and others. Each prints its own lines.
 * To add a row, add an entry to OTHERS.
 */
import { Database } from "bun:sqlite";
import { rmSync } from "node:fs";
import { join } from "node:path";
import { type Measured, prepare, type Setting, startGateway } from "./gateway";
import { type Goal, printGoal } from "./goals";
import { measureHot } from "./hot";
import type { Group, Job, Outcome } from "./load";
import { measurePostgres } from "./postgres";
import {
  cpuSeconds,
  peakMemory_mb,
  processesOf,
  proportionalMemory_mb,
  resetPeak,
  type Started,
} from "./processes";
import { ROWS, type Row } from "./rows";
import { say } from "./said";
import { median, written } from "./table";

export interface Bench {
  readonly setting: (more?: Partial<Setting>) => Setting;
  readonly load: (
    target: Measured,
    groups: readonly Group[],
    seconds: number,
    more?: Partial<Job>,
  ) => Promise<Outcome>;
  readonly startProxy: (row: Pick<Row, "groups">) => Promise<Started>;
  readonly seconds: number;
  readonly rounds: number;
  readonly quick: boolean;
  /** A PostgreSQL server where schemas may be made and dropped. Left out: its row is left out. */
  readonly database: string | undefined;
}

export interface Other {
  readonly name: string;
  readonly says: string;
  readonly measure: (bench: Bench) => Promise<void>;
}

/** Starts with one process, and with one per core. */
const STARTS = [
  { processes: 1, goal_ms: 45 },
  { processes: navigator.hardwareConcurrency, goal_ms: 150 },
] as const;

/** The time from the executable's start to the first 200 on /healthz, and its memory once it is idle. */
async function measureStart({ setting, quick }: Bench): Promise<void> {
  for (const { processes, goal_ms } of STARTS) {
    const { executable } = setting();
    const asked = await prepare(setting({ processes }));
    // An executable that does not know server.processes always runs as one process.
    const { folder, refusal } =
      asked.refusal === undefined || processes > 1 ? asked : await prepare(setting());
    const words = processes === 1 ? "one process" : `${processes} processes`;
    if (refusal === undefined) {
      const { taken_ms, idle_mb } = await start(executable, folder, quick ? 3 : 9);
      const healthy: Goal = {
        of: `${words}: first 200 on /healthz`,
        bound: "at most",
        value: goal_ms,
        unit: "ms",
      };
      const idle: Goal = { of: `${words}: idle memory of each`, bound: "at most", value: 60, unit: "MB" };
      printGoal("S", healthy, taken_ms);
      printGoal("S", idle, idle_mb);
    } else say(`  ${words}: this executable takes no server.processes`);
    for (const made of new Set([asked.folder, folder])) rmSync(made, { recursive: true });
  }
}

async function start(
  executable: string,
  folder: string,
  times: number,
): Promise<{ taken_ms: number; idle_mb: number }> {
  const taken_ms: number[] = [];
  const idle_mb: number[] = [];
  for (let i = 0; i < times; i += 1) {
    // Below the ephemeral ports, where a client might connect to itself.
    const port = 20_000 + Math.floor(Math.random() * 10_000);
    const startedAt = performance.now();
    const child = Bun.spawn([executable, "serve", "--port", String(port)], {
      cwd: folder,
      env: {},
      stdout: "ignore",
    });
    const answered = async () => (await fetch(`http://127.0.0.1:${port}/healthz`)).ok;
    while (!(await answered().catch(() => false))) await Bun.sleep(1);
    taken_ms.push(performance.now() - startedAt);
    await Bun.sleep(500);
    idle_mb.push(proportionalMemory_mb(child.pid) / processesOf(child.pid).length);
    child.kill("SIGTERM");
    await child.exited;
  }
  return { taken_ms: median(taken_ms), idle_mb: median(idle_mb) };
}

async function measureLocal({ quick }: Bench): Promise<void> {
  const command = [process.execPath, join(import.meta.dir, "local.ts"), ...(quick ? ["--quick"] : [])];
  const child = Bun.spawn(command, { stdout: "inherit" });
  if ((await child.exited) !== 0) throw new Error("bench/local.ts failed");
}

/** How many ledger rows, and how many vectors on the disk. */
const GROWN = { full: 1_000_000, quick: 50_000 } as const;
/** Small, so that this many vectors are soon written: an index depends on the count, not on the size. */
export const GROWN_DIMENSIONS = 64;
/** How many texts each request has that fills the cache. */
const FILLING = 2048;

function growLedger(folder: string, rows: number): void {
  const database = new Database(join(folder, "data/embedgate.db"));
  database.run(
    `WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < ${rows})
     INSERT INTO ledger (request_id, started_at, workspace, key_id, model, provider, inputs, cache_hits, tokens, tokens_upstream,
       tokens_billed, tokens_source, status, latency_ms, cost_pico_usd)
     SELECT 'grown_' || hex(randomblob(16)), 1700000000000 + i * 1000, 'bench', NULL, 'text-embedding-3-small', 'near', 1, 0, 15, 15,
       15, 'provider', 200, 3, 300000 FROM n`,
  );
  database.close();
}

/** Requests of one text that is not in the cache, to a gateway with much data and to an empty one. */
async function measureGrowth({ setting, load, seconds, rounds, quick }: Bench): Promise<void> {
  const count = quick ? GROWN.quick : GROWN.full;
  const small = setting({ dimensions: GROWN_DIMENSIONS, cache: "{ memory_mb: 16, disk_mb: 4096 }" });
  const more = { dimensions: GROWN_DIMENSIONS };
  const one: Group = {
    connections: 32,
    inputs: 1,
    encoding: "float",
    model: "text-embedding-3-small",
    repeats: false,
  };
  await using empty = await startGateway(small);
  await using grown = await startGateway(small, (folder) => growLedger(folder, count));
  const startedAt = performance.now();
  const filled = await load(grown, [{ ...one, connections: 2, inputs: FILLING, encoding: "base64" }], 600, {
    ...more,
    requests: Math.ceil(count / FILLING),
  });
  const took = (performance.now() - startedAt) / 1000;
  say(`  ${filled.requests * FILLING} vectors were stored in ${written(took)} s`);
  const rates: Record<"empty" | "grown", number[]> = { empty: [], grown: [] };
  // The first round warms up, and is not counted.
  for (let round = 0; round <= Math.max(rounds, 3); round += 1) {
    for (const [name, target] of [
      ["empty", empty],
      ["grown", grown],
    ] as const) {
      const { requests, seconds: passed } = await load(target, [one], seconds, more);
      if (round > 0) rates[name].push(requests / passed);
    }
  }
  const [before, after] = [median(rates.empty), median(rates.grown)];
  say(`  empty ${written(before)} requests/s, after ${count} rows and vectors ${written(after)}`);
  printGoal("G", { of: "of an empty one's", bound: "at least", value: 0.97, unit: "×" }, after / before);
}

/** The rows whose peak memory is measured, each with its own gateway. */
const PEAKS = [
  { row: "A", goal_mb: 120 },
  { row: "C", goal_mb: 160 },
  { row: "K", goal_mb: 160 },
] as const;

/** The peak memory over all rounds, from the first request on: what a container's limit must allow. */
async function measurePeaks({ setting, load, startProxy, seconds, rounds }: Bench): Promise<void> {
  for (const { row: name, goal_mb } of PEAKS) {
    const row = ROWS.find((one) => one.name === name);
    if (!row) throw new Error(`no row ${name}`);
    await using proxy = await startProxy(row);
    await using gateway = await startGateway(setting());
    const peak_mb = async (target: Measured) => {
      resetPeak(target.pid);
      await load(target, row.groups, seconds * (rounds + 1));
      return peakMemory_mb(target.pid);
    };
    const theirs_mb = await peak_mb({ ...proxy, key: "none", folder: "" });
    const ours_mb = await peak_mb(gateway);
    say(`  ${name}: ${row.says}: proxy ${written(theirs_mb)} MB, embedgate ${written(ours_mb)} MB`);
    printGoal("M", { of: `${name}: peak memory`, bound: "at most", value: goal_mb, unit: "MB" }, ours_mb);
  }
}

/** Features that can be switched off. The others are compared with the first entry. */
const FEATURES: readonly { readonly says: string; readonly more: Partial<Setting> }[] = [
  { says: "key, rate limit, credits, cap, ledger", more: {} },
  { says: "without credits and cap", more: { credits: false } },
  { says: "with a cache, nothing found in it", more: { cache: "{ memory_mb: 64 }" } },
  { says: "durability: power", more: { durability: "power" } },
  { says: "processes: 2", more: { processes: 2 } },
];

/** Sends row B's request to gateways that differ in one feature, in turns. */
async function measureFeatures({ setting, load, seconds, rounds }: Bench): Promise<void> {
  const group = ROWS.find(({ name }) => name === "B")?.groups ?? [];
  await using started = new AsyncDisposableStack();
  const all: { says: string; gateway: Measured; cpu: number[]; rates: number[] }[] = [];
  for (const { says, more } of FEATURES)
    all.push({ says, gateway: started.use(await startGateway(setting(more))), cpu: [], rates: [] });
  // The first round warms up, and is not counted.
  for (let round = 0; round <= rounds; round += 1) {
    for (const { gateway, cpu, rates } of all) {
      const before = cpuSeconds(gateway.pid);
      const { requestsInAll, seconds: took } = await load(gateway, group, round === 0 ? 10 : seconds);
      if (round === 0) continue;
      cpu.push(((cpuSeconds(gateway.pid) - before) / requestsInAll) * 1000);
      rates.push(requestsInAll / took);
    }
  }
  const usual = median(all[0]?.cpu ?? []);
  for (const { says, cpu, rates } of all) {
    const ratio = (median(cpu) / usual).toFixed(2);
    say(`  ${says.padEnd(40)} ${written(median(rates))}/s, CPU s/1000 ${written(median(cpu))}, ${ratio} ×`);
  }
}

export const OTHERS: readonly Other[] = [
  { name: "M", says: "peak memory under load", measure: measurePeaks },
  { name: "E", says: "what each feature costs: one text, base64, 32 connections", measure: measureFeatures },
  { name: "P", says: "one text, floats, 32 connections, on PostgreSQL", measure: measurePostgres },
  { name: "W", says: "one workspace that all requests are of, on PostgreSQL", measure: measureHot },
  { name: "S", says: "start and idle memory", measure: measureStart },
  { name: "L", says: "the model inside", measure: measureLocal },
  { name: "G", says: "a million ledger rows and vectors on disk", measure: measureGrowth },
];
