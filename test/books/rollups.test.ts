/**
 * Sums by minute and hour equal the ledger's own after random answers, failures, refusals, answers of several providers, crashes
 * and late settlements. After trimming, everything about money is unchanged, to the pico-USD.
 */
import { expect, test } from "bun:test";
import { mkdtempSync, rmSync, statSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import fc from "fast-check";
import { OWN_WORKSPACE, openLedger } from "../../src/books/ledger";
import { openSeries } from "../../src/books/open-series";
import { openStatements } from "../../src/books/statements";
import { openTrimming } from "../../src/books/trimming";
import { USAGE_GROUPS } from "../../src/books/usage";
import type { Store } from "../../src/db/open";
import { liveIn, opened } from "./lived";
import { counts, DAY_MS, HOLDING, rowOf, START, step, toldOf } from "./lives";

const SUMS = `sum(inputs) AS inputs, sum(cache_hits) AS cache_hits, sum(tokens) AS tokens, sum(tokens_upstream) AS tokens_upstream,
  sum(tokens_billed) AS tokens_billed, sum(tokens_cached) AS tokens_cached, sum(cost_pico_usd) AS cost, sum(micro_credits) AS micro_credits,
  sum(upstream_pico_usd) AS upstream, sum(saved_pico_usd) AS saved`;

interface Line {
  readonly [column: string]: string | bigint | null;
}
const NAMES = ["at", "workspace", "key_id", "model", "status", "code"];
/** A sum of zeros stays where a row was corrected after a crash. */
const isSomething = (line: Line) =>
  Object.entries(line).some(([name, value]) => !NAMES.includes(name) && value !== 0n);

/** For minutes or hours, each with the dimensions of its requests. */
function sumsOf({ database }: Store, unitMs: number): { readonly ledger: Line[]; readonly rollups: Line[] } {
  const ledger = database
    .query<Line, []>(
      `WITH rows AS (SELECT *, workspace <> '${OWN_WORKSPACE}' AS asks FROM ledger WHERE status <> 0 OR error IS NOT NULL)
       SELECT started_at - started_at % ${unitMs} AS at, workspace, coalesce(key_id, '') AS key_id, model, status, coalesce(error, '') AS code,
         sum(iif(asks, coalesce(refusals, 1), 0)) AS requests, sum(iif(asks AND tokens_source = 'estimated', 1, 0)) AS estimated,
         ${SUMS.replace("sum(inputs)", "sum(iif(asks, inputs, 0))")}, sum(iif(asks AND latency_ms > 50 AND latency_ms <= 70 AND refusals IS NULL, 1, 0)) AS slow
       FROM rows GROUP BY 1, 2, 3, 4, 5, 6 ORDER BY 1, 2, 3, 4, 5, 6`,
    )
    .all();
  const rollups = database
    .query<Line, []>(
      `SELECT started_at AS at, workspace, key_id, model, status, code, sum(requests) AS requests, sum(estimated) AS estimated, ${SUMS},
         sum(iif(code = 'refused', 0, up_to_70_ms)) AS slow
       FROM rollups WHERE unit_ms = ${unitMs} GROUP BY 1, 2, 3, 4, 5, 6 ORDER BY 1, 2, 3, 4, 5, 6`,
    )
    .all();
  return { ledger: ledger.filter(isSomething), rollups: rollups.filter(isSomething) };
}

test("the sums by minute and hour equal the ledger's own whatever happened", async () => {
  await fc.assert(
    fc.asyncProperty(fc.array(step, { minLength: 1, maxLength: 40 }), async (steps) => {
      const books = await opened();
      await liveIn(steps, books);
      for (const unit of [60_000, 3_600_000]) {
        const { ledger, rollups } = sumsOf(books.store, unit);
        expect(rollups).toEqual(ledger);
      }
      books.store.close();
    }),
    { numRuns: 60 },
  );
});

test("their usage equals the ledger's, by any groups", async () => {
  await fc.assert(
    fc.asyncProperty(fc.array(step, { minLength: 1, maxLength: 30 }), async (steps) => {
      const books = await opened();
      await liveIn(steps, books);
      const { store } = books;
      const series = openSeries(store, {}, OWN_WORKSPACE);
      for (const by of [...USAGE_GROUPS.map((group) => [group]), ["workspace", "day"] as const]) {
        const range = { since: START - DAY_MS, until: books.now() + DAY_MS };
        const { lines } = await series.usage({ ...range, by, workspace: undefined, metadata: new Map() });
        expect(lines.filter(counts)).toEqual((await openLedger(store).usage(0, by)).filter(counts));
      }
      store.close();
    }),
    { numRuns: 30 },
  );
});

const told = (store: Store) => toldOf(openLedger(store), openStatements(store));

const rowsIn = (store: Store, table: string) =>
  store.database.query<{ readonly rows: bigint }, []>(`SELECT count(*) AS rows FROM ${table}`).get()?.rows;

test("usage, invoices and histories are the same before and after requests are trimmed", async () => {
  await fc.assert(
    fc.asyncProperty(fc.array(step, { minLength: 1, maxLength: 40 }), fc.nat(20), async (steps, days) => {
      const books = await opened();
      await liveIn(steps, books);
      const { store } = books;
      const before = await told(store);
      const keep = { requestsDays: 1, minutesDays: 1, hoursDays: 1 };
      const trimming = openTrimming(store, { now: () => books.now() + days * DAY_MS }, () => keep);
      const series = openSeries(store, {}, OWN_WORKSPACE);
      const range = { since: START - DAY_MS, until: books.now() + DAY_MS };
      const asked = { ...range, unit: "day", by: ["model", "provider"], top: 100 } as const;
      const byDay = await series.over(asked);
      while (await trimming.bite()) expect(await told(store)).toEqual(before);
      expect(await told(store)).toEqual(before);
      expect(await series.over(asked)).toEqual(byDay);
      if (days > 2)
        expect([rowsIn(store, "ledger"), rowsIn(store, "rollups WHERE unit_ms < 86400000")]).toEqual([
          0n,
          0n,
        ]);
      store.close();
    }),
    { numRuns: 10 },
  );
}, 60_000);

test("trimming makes the file smaller, and keeps rows in flight", async () => {
  const folder = mkdtempSync(join(tmpdir(), "embedgate-trim-"));
  try {
    const path = join(folder, "books.db");
    const books = await opened(path);
    const { store } = books;
    const request = {
      workspace: "beta",
      model: "small",
      tokens: 7,
      others: 0,
      latency: 9,
      code: "",
    } as const;
    const one = {
      ...request,
      kind: "request",
      end: "hit",
      metadata: "x".repeat(900),
      estimated: false,
    } as const;
    const ledger = openLedger(store);
    await Promise.all(
      Array.from({ length: 4_000 }, (_, i) =>
        ledger.settle(
          rowOf(
            { ...one, metadata: JSON.stringify({ id: i % 3, text: one.metadata }) },
            `req_${i}`,
            START + i,
          ),
        ),
      ),
    );
    await ledger.begin({ ...rowOf({ ...one, end: "answer" }, "under way", START), status: 0 }, HOLDING);
    store.database.run("PRAGMA wal_checkpoint(TRUNCATE)");
    const size = statSync(path).size;
    const keep = { requestsDays: 1, minutesDays: 1, hoursDays: 1 };
    const trimming = openTrimming(store, { now: () => START + 5 * DAY_MS }, () => keep);
    let bites = 0;
    while (await trimming.bite()) bites += 1;
    store.database.run("PRAGMA wal_checkpoint(TRUNCATE)");
    expect(bites).toBeGreaterThan(8);
    expect(statSync(path).size).toBeLessThan(size / 4);
    expect([rowsIn(store, "ledger"), rowsIn(store, "ledger_days")]).toEqual([1n, 3n]);
    store.close();
  } finally {
    rmSync(folder, { recursive: true });
  }
});
