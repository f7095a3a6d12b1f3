/**
 * One workspace that all requests are of, without the gateway around it: how many a second are held and settled by one process's ledger on
 * PostgreSQL, and by pgbench with the same statements, which were recorded from the ledger: row W.
 */
import { existsSync, globSync, mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { SQL } from "bun";
import type { LedgerRow } from "../src/books/ledger-row";
import { realOutside } from "../src/network/real-outside";
import { openPostgres } from "../src/stores/postgres/open";
import { aroundQueries, type Query } from "../test/stores/around-queries";
import { printGoal } from "./goals";
import type { Bench } from "./others";
import { NO_DATABASE } from "./postgres";
import { say } from "./said";
import { median, written } from "./table";

const WORKSPACE = "hot";
const CREDITS = 1_000_000_000_000_000n;
/** Requests under way at once, and how pgbench has as many: rows in a statement, and clients. */
const SHAPES = [
  { rows: 32, clients: 1 },
  { rows: 32, clients: 4 },
  { rows: 128, clients: 1 },
] as const;
const UNDER_WAY = [32, 128] as const;
/** In place of what must differ from one run of a statement to the next. */
const MARK = "benchmark";

const recording = (asked: Query[]) =>
  aroundQueries((query, ask) => {
    asked.push(query);
    return ask();
  });

function rowOf(request_id: string): LedgerRow {
  return {
    request_id,
    started_at: Date.now(),
    workspace: WORKSPACE,
    key_id: "key",
    model: "text-embedding-3-small",
    provider: "near",
    inputs: 1,
    cache_hits: 0,
    tokens: 15,
    tokens_upstream: 15,
    tokens_abandoned: 0,
    tokens_billed: 15,
    tokens_source: "provider",
    status: 200,
    error: null,
    latency_ms: 3,
    cost_pico_usd: 300_000n,
    cost_femto_credits: 300_000_000n,
    upstream_pico_usd: 300_000n,
    user: null,
    metadata: null,
  };
}

const underWay = (row: LedgerRow): LedgerRow => ({
  ...row,
  status: 0,
  cost_pico_usd: 0n,
  cost_femto_credits: 0n,
});
const amount = { femtoCredits: 300_000_000n, picoUsd: 300_000n };
const HOLDING = {
  estimate: { least: amount, most: amount },
  terms: { startingMicroCredits: null, caps: { day: undefined, month: undefined } },
};

export async function measureHot({ seconds, rounds, quick, database: url }: Bench): Promise<void> {
  if (url === undefined) {
    say(NO_DATABASE);
    return;
  }
  const pgbench = Bun.which("pgbench") ?? globSync("/usr/lib/postgresql/*/bin/pgbench").sort().at(-1);
  const schema = `bench_hot_${process.pid}`;
  const folder = mkdtempSync(join(tmpdir(), "embedgate-bench-"));
  const asked: Query[] = [];
  const config = {
    url,
    schema,
    maxConnections: 4,
    prepare: true,
    onOutage: "refuse",
    creditLease: undefined,
  } as const;
  await using admin = new SQL({ url, max: 1 });
  const outside = { ...realOutside, log: () => undefined };
  const serves = { process: null, fenced: () => undefined };
  const plain = await openPostgres(config, folder, outside, { serves });
  const recorded = await openPostgres(config, folder, { ...outside, postgres: recording(asked) }, { serves });
  try {
    await plain.openWorkspaces(() => ({})).create(WORKSPACE, {}, CREDITS);
    const ledger = plain.openLedger();
    const recordedLedger = recorded.openLedger();
    let made = 0;
    const nextId = () => {
      made += 1;
      return `req_${process.pid}_${made}`;
    };

    /** @returns settled a second */
    async function throughLedger(atOnce: number): Promise<number> {
      const endsAt = performance.now() + seconds * 1000;
      const startedAt = performance.now();
      let settled = 0;
      await Promise.all(
        Array.from({ length: atOnce }, async () => {
          while (performance.now() < endsAt) {
            const row = rowOf(nextId());
            await ledger.begin(underWay(row), HOLDING);
            await ledger.settle(row);
            settled += 1;
          }
        }),
      );
      return settled / ((performance.now() - startedAt) / 1000);
    }

    /** A script of the two statements that so many rows are begun and settled with. */
    async function scriptOf(rows: number): Promise<string> {
      asked.length = 0;
      const all = Array.from({ length: rows }, (_, i) => rowOf(`${MARK}_${i}`));
      await Promise.all(all.map((row) => recordedLedger.begin(underWay(row), HOLDING)));
      await Promise.all(all.map((row) => recordedLedger.settle(row)));
      const statements = asked.filter(({ parameters }) =>
        parameters.some((one) => String(one).includes(MARK)),
      );
      await admin.unsafe(`DELETE FROM "${schema}".ledger WHERE request_id LIKE '${MARK}%'`);
      const path = join(folder, `${rows}.sql`);
      await Bun.write(
        path,
        `\\set number :number + 1\n${statements.map((one) => `${inlined(one)};`).join("\n")}\n`,
      );
      return path;
    }

    const best = new Map<number, number>();
    // The first round warms up, and is not counted.
    const ours = new Map(UNDER_WAY.map((atOnce): [number, number[]] => [atOnce, []]));
    const theirs = new Map(SHAPES.map((shape): [(typeof SHAPES)[number], number[]] => [shape, []]));
    const scripts = new Map<number, string>();
    for (const { rows } of SHAPES) scripts.set(rows, scripts.get(rows) ?? (await scriptOf(rows)));
    for (let round = 0; round <= (quick ? 1 : rounds); round += 1) {
      for (const [atOnce, rates] of ours) {
        const rate = await throughLedger(atOnce);
        if (round > 0) rates.push(rate);
      }
      if (pgbench === undefined || !existsSync(pgbench)) continue;
      for (const [{ rows, clients }, rates] of theirs) {
        const rate = rows * (await transactions(pgbench, scripts.get(rows) ?? "", clients, seconds, url));
        if (round > 0) rates.push(rate);
      }
    }
    for (const [{ rows, clients }, rates] of theirs) {
      if (rates.length === 0) continue;
      const atOnce = rows * clients;
      best.set(atOnce, Math.max(best.get(atOnce) ?? 0, median(rates)));
      say(
        `  one workspace, pgbench: ${rows} rows a statement, clients: ${clients}: ${written(median(rates))} settled/s`,
      );
    }
    for (const [atOnce, rates] of ours) {
      const rate = median(rates);
      const bench = best.get(atOnce);
      say(
        `  one workspace, ${atOnce} requests under way: ${written(rate)} settled/s${bench === undefined ? "" : `, ${(rate / bench).toFixed(2)} × pgbench's`}`,
      );
    }
    printGoal(
      "W",
      { of: "one workspace: settled/s", bound: "at least", value: 3000, unit: "/s" },
      Math.max(...[...ours.values()].map(median)),
    );
  } finally {
    await plain.close();
    await recorded.close();
    await admin
      .unsafe(`SET client_min_messages = warning; DROP SCHEMA IF EXISTS "${schema}" CASCADE`)
      .simple();
    rmSync(folder, { recursive: true, force: true });
  }
}

/** With its parameters in the text, as pgbench has none but its own variables: a colon before a word would be one. */
function inlined({ text, parameters }: Query): string {
  return text.replaceAll(/\$(\d+)/g, (_, place: string) => {
    const value = parameters[Number(place) - 1];
    if (value === null || value === undefined) return "NULL";
    if (typeof value !== "string") return String(value);
    const literal = `'${value.replaceAll("'", "''").replaceAll('":', '": ')}'`;
    return value.includes(MARK)
      ? `replace(${literal}, '${MARK}', 'b' || :client_id::text || '_' || :number::text)`
      : literal;
  });
}

/** @returns a second */
async function transactions(
  pgbench: string,
  script: string,
  clients: number,
  seconds: number,
  url: string,
): Promise<number> {
  // Ids that follow one another, as the gateway's do; each run begins behind the one before.
  const words =
    `-n -j 1 -M prepared -D number=${Date.now() * 1000} -c ${clients} -T ${seconds} -f ${script}`.split(" ");
  const child = Bun.spawn([pgbench, ...words, url], {
    stdout: "pipe",
    stderr: "pipe",
    // As the gateway's connections have it (src/stores/postgres/connection.ts).
    env: { ...process.env, PGOPTIONS: "-c jit=off" },
  });
  const [said, errors] = await Promise.all([
    new Response(child.stdout).text(),
    new Response(child.stderr).text(),
  ]);
  if ((await child.exited) !== 0) throw new Error(`pgbench failed: ${said}${errors}`);
  // None where not one was done in that time.
  return Number(/^tps = ([\d.]+)/m.exec(said)?.[1] ?? 0);
}
