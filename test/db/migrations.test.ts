/**
 * An older database gets hourly sums of its rows when it is opened: they equal the rows.
 */
import { Database } from "bun:sqlite";
import { expect, test } from "bun:test";
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { OWN_WORKSPACE, openLedger } from "../../src/books/ledger";
import { openSeries } from "../../src/books/open-series";
import { MIGRATIONS } from "../../src/db/migrations";
import { openStore } from "../../src/db/open";
import { fakeOutside, STARTED_AT } from "../fake-outside";

/** The steps before hourly sums existed. */
const BEFORE = 11;

test("older rows are in the hourly sums", async () => {
  const folder = mkdtempSync(join(tmpdir(), "embedgate-migrations-"));
  try {
    const path = join(folder, "books.db");
    const old = new Database(path, { create: true });
    for (const step of MIGRATIONS.slice(0, BEFORE)) old.run(step);
    old.run(`PRAGMA user_version = ${BEFORE}`);
    const put = old.query(
      `INSERT INTO ledger (request_id, started_at, workspace, key_id, model, provider, inputs, tokens, tokens_upstream, tokens_billed, tokens_source,
         status, error, kind, latency_ms, cost_pico_usd, micro_credits, upstream_pico_usd, by_provider, refusals)
       VALUES (?, ?, ?, ?, 'm', ?, 2, ?, ?, ?, ?, ?, ?, ?, ?, ?, 0, ?, ?, ?)`,
    );
    const hour = 3_600_000;
    put.run(
      "a",
      STARTED_AT,
      "acme",
      "key_1",
      "one",
      5,
      5,
      5,
      "provider",
      200,
      null,
      null,
      12,
      100,
      100,
      null,
      null,
    );
    put.run(
      "b",
      STARTED_AT + hour,
      "acme",
      null,
      "one, two",
      5,
      8,
      5,
      "estimated",
      200,
      null,
      null,
      70,
      100,
      160,
      '[["one",5,100],["two",3,60]]',
      null,
    );
    put.run(
      "c",
      STARTED_AT,
      "acme",
      null,
      null,
      0,
      0,
      0,
      null,
      429,
      "rate_limit_exceeded",
      "rate_limited",
      1,
      0,
      0,
      null,
      17,
    );
    put.run(
      "d",
      STARTED_AT,
      OWN_WORKSPACE,
      null,
      "one",
      0,
      9,
      0,
      "provider",
      200,
      null,
      null,
      80,
      0,
      9,
      null,
      null,
    );
    put.run(
      "e",
      STARTED_AT,
      "acme",
      null,
      "one",
      0,
      4,
      0,
      "estimated",
      0,
      "interrupted",
      null,
      0,
      0,
      4,
      null,
      null,
    );
    put.run("f", STARTED_AT, "acme", null, "one", 0, 4, 0, null, 0, null, null, 0, 0, 4, null, null);
    old.run("UPDATE ledger SET micro_credits = tokens_billed");
    old.close();
    const store = await openStore(path, fakeOutside().outside);
    const series = openSeries(store, {}, OWN_WORKSPACE);
    const range = { since: STARTED_AT - hour, until: STARTED_AT + 3 * hour };
    // Rows in flight count once they are settled.
    await openLedger(store).settleInterrupted();
    for (const by of [["workspace"], ["model", "day"], ["provider"], ["code", "status"], ["key"]] as const) {
      const { lines } = await series.usage({ ...range, by, workspace: undefined, metadata: new Map() });
      expect(lines).toEqual(await openLedger(store).usage(0, by));
    }
    const { total } = await series.over({ ...range, unit: "hour", by: [], top: 1 });
    expect(total).toMatchObject({ requests: 21n, failed: 19n });
    expect(total.p50_ms).toBeGreaterThan(10);
    store.close();
  } finally {
    rmSync(folder, { recursive: true });
  }
});
