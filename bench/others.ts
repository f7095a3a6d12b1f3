/**
 * The rows that have no baseline: the start, the model inside, and a gateway that has grown. Each prints its own lines.
 * A new one is an entry of OTHERS.
 */
import { Database } from "bun:sqlite";
import { rmSync } from "node:fs";
import { join } from "node:path";
import { type Measured, prepare, type Setting, startGateway } from "./gateway";
import type { Group, Outcome } from "./load";
import { proportionalMemory_mb } from "./processes";
import { median, written } from "./table";

export interface Bench {
  readonly setting: (more?: Partial<Setting>) => Setting;
  readonly load: (target: Measured, groups: readonly Group[], seconds: number) => Promise<Outcome>;
  readonly seconds: number;
}

export interface Other {
  readonly name: string;
  readonly says: string;
  readonly measure: (bench: Bench) => Promise<void>;
}

const STARTS = 7;

/** From the executable's start to the first 200 on /healthz, and its memory once it is idle. */
async function measureStart({ setting }: Bench): Promise<void> {
  const { folder } = await prepare(setting());
  const taken_ms: number[] = [];
  const memories_mb: number[] = [];
  for (let i = 0; i < STARTS; i += 1) {
    // Below those that connections are given: a client would be connected with itself.
    const port = 20_000 + Math.floor(Math.random() * 10_000);
    const startedAt = performance.now();
    const child = Bun.spawn([setting().executable, "serve", "--port", String(port)], {
      cwd: folder,
      env: {},
      stdout: "ignore",
    });
    const answered = async () => (await fetch(`http://127.0.0.1:${port}/healthz`)).ok;
    while (!(await answered().catch(() => false))) await Bun.sleep(1);
    taken_ms.push(performance.now() - startedAt);
    await Bun.sleep(500);
    memories_mb.push(proportionalMemory_mb(child.pid));
    child.kill("SIGTERM");
    await child.exited;
  }
  rmSync(folder, { recursive: true });
  console.log(
    `  first 200 on /healthz after ${written(median(taken_ms))} ms; idle ${written(median(memories_mb))} MB`,
  );
}

async function measureLocal(): Promise<void> {
  const child = Bun.spawn([process.execPath, join(import.meta.dir, "local.ts")], { stdout: "inherit" });
  await child.exited;
}

const GROWN_ROWS = 1_000_000;
const GROWN_VECTORS = 1_000_000;
/** Small, so that a million of them are soon written: the count is what an index feels. */
const GROWN_DIMENSIONS = 64;

function growLedger(folder: string): void {
  const database = new Database(join(folder, "data/embedgate.db"));
  database.run(
    `WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < ${GROWN_ROWS})
     INSERT INTO ledger (request_id, started_at, workspace, key_id, model, provider, inputs, cache_hits, tokens, tokens_upstream,
       tokens_billed, tokens_source, status, latency_ms, cost_pico_usd)
     SELECT 'grown_' || hex(randomblob(16)), 1700000000000 + i * 1000, 'bench', NULL, 'text-embedding-3-small', 'near', 1, 0, 15, 15,
       15, 'provider', 200, 3, 300000 FROM n`,
  );
  database.close();
}

/** One text with nothing found, and one that is found, before and after a million of each. */
async function measureGrowth({ setting, load, seconds }: Bench): Promise<void> {
  const small = setting({ dimensions: GROWN_DIMENSIONS, cache: "{ memory_mb: 16, disk_mb: 4096 }" });
  const one: Group = {
    connections: 32,
    inputs: 1,
    encoding: "float",
    model: "text-embedding-3-small",
    repeats: false,
  };
  await using empty = await startGateway(small);
  await using grown = await startGateway(small, growLedger);
  const batch = { ...one, connections: 2, inputs: 2048 };
  let vectors = 0;
  while (vectors < GROWN_VECTORS) {
    const { requests, errors } = await load(grown, [batch], 10);
    if (errors.length > 0) throw new Error(errors.join("; "));
    vectors += requests * batch.inputs;
  }
  const rates: Record<"empty" | "grown", number[]> = { empty: [], grown: [] };
  for (let round = 0; round < 5; round += 1) {
    rates.empty.push((await load(empty, [one], seconds)).requests / seconds);
    rates.grown.push((await load(grown, [one], seconds)).requests / seconds);
  }
  const [before, after] = [median(rates.empty), median(rates.grown)];
  console.log(
    `  empty ${written(before)} requests/s, after ${GROWN_ROWS} rows and ${vectors} vectors ${written(after)}: ${(after / before).toFixed(2)} ×`,
  );
}

export const OTHERS: readonly Other[] = [
  { name: "S", says: "start and idle memory", measure: measureStart },
  { name: "L", says: "the model inside", measure: measureLocal },
  { name: "G", says: "a million ledger rows and vectors on disk", measure: measureGrowth },
];
