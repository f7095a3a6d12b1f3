/** `embedgate database move`: everything of an SQLite file into PostgreSQL, even after an interruption, with a comparison at the end. */
import { Database } from "bun:sqlite";
import { describe, expect, test } from "bun:test";
import { writeFileSync } from "node:fs";
import { join } from "node:path";
import { DAY_SUMS } from "../../src/books/trimming";
import { realOutside } from "../../src/network/real-outside";
import { addressOf } from "../../src/stores/postgres/address";
import { MIGRATIONS } from "../../src/stores/postgres/migrations";
import { moveFromSqlite } from "../../src/stores/postgres/move";
import { createPool } from "../../src/stores/postgres/pool";
import { openSqlite } from "../../src/stores/sqlite";
import type { Stores } from "../../src/stores/stores";
import { runCommand } from "../command-line";
import { temporaryFolder } from "../serving";
import { POSTGRES_URL, postgresDatabase } from "./databases";
import { batchOf, fileOf, holdingOf, NOON, rowOf, underWay } from "./rows";

const DEFAULTS = () => ({});
const DAY_MS = 86_400_000;

/** Keys, balances, a space, refusals, and a text that PostgreSQL cannot store. */
async function filled(path: string): Promise<{ readonly key: string; readonly balance: bigint | null }> {
  const stores = await openSqlite(path, realOutside);
  const workspaces = stores.openWorkspaces(DEFAULTS);
  await workspaces.create("team", { cap_usd_per_day: 0.5, models: ["a"] }, 10_000n);
  await workspaces.grant("team", 5n, "more");
  const { key } = await stores.openKeys().create("ci", "team");
  const ledger = stores.openLedger();
  for (let i = 0; i < 1_200; i++) {
    const row = rowOf(i % 3, {
      metadata: i === 7 ? '{"a\\u0000":"\\ud800"}' : null,
      user: i === 8 ? "a\0b" : null,
    });
    await ledger.begin(underWay(row), holdingOf({ least: 0, most: 5 }));
    await ledger.settle(row);
  }
  await ledger.settle(rowOf(0, { status: 429, error: "rate_limit_exceeded", tokens_upstream: 0 }));
  await stores.openFingerprints().keep({
    space: "m@2",
    dimensions: 2,
    vectors: [new Float32Array([1, 2])],
    provider: "p",
    model: "m",
    measuredAt: 5,
    paidAt: null,
    confirmed: true,
  });
  const most = { femtoCredits: 40_000_000_000n, picoUsd: 40_000_000n };
  const terms = { startingMicroCredits: null, caps: { day: undefined, month: undefined } };
  await ledger.lines.reserve({ batch: "batch_1", workspace: "team", most, terms, at: NOON });
  await stores.openBatchRecords().putFile(fileOf("file-1"));
  await stores.openBatchRecords().putBatch(batchOf("batch_1"));
  const { micro_credits } = await workspaces.show("team");
  await stores.close();
  return { key, balance: micro_credits };
}

describe.skipIf(POSTGRES_URL === undefined)("moving from SQLite to PostgreSQL", () => {
  test("takes everything, once, and may be continued", async () => {
    await using database = postgresDatabase();
    using folder = temporaryFolder();
    const path = join(folder.path, "old.db");
    const { key, balance } = await filled(path);
    const file = join(folder.path, "gateway.yaml");
    writeFileSync(
      file,
      `${database.yaml}providers: { fake: { plugin: fake } }\nmodels: { fake: { routes: [ { provider: fake } ] } }\n`,
    );
    const move = () => runCommand(["database", "move", `sqlite:${path}`, "--config", file]);
    const first = await move();
    expect([first.code, first.errors]).toEqual([
      0,
      expect.stringContaining("ledger: 1201 rows compared, 1201 of them"),
    ]);
    // As if it had been broken off: nothing was noted for sums.
    await database.ask("SET embedgate.sums = 'own'");
    await database.ask("DELETE FROM @ledger WHERE request_id IN (SELECT request_id FROM @ledger LIMIT 100)");
    await database.ask("RESET embedgate.sums");
    const second = await move();
    expect(second.errors).toContain("ledger: 1201 rows compared, 100 of them moved now");

    const stores = await database.open();
    expect(stores.openKeys().find(key)?.workspace).toBe("team");
    const workspaces = stores.openWorkspaces(DEFAULTS);
    expect((await workspaces.show("team")).micro_credits).toBe(balance);
    expect(workspaces.rules("team").models).toEqual(["a"]);
    expect(await stores.openBatchRecords().batch("batch_1")).toEqual(batchOf("batch_1"));
    expect(await workspaces.show("team")).toMatchObject({ micro_credits_held: 40n });
    expect((await workspaces.grant("team", 1n, "on")).micro_credits).toBe((balance ?? 0n) + 1n);
    expect(stores.openFingerprints().find("m@2")?.vectors[0]).toEqual(new Float32Array([1, 2]));
    expect((await stores.openStatements().history("team")).at(-1)?.balance).toBe((balance ?? 0n) + 1n);
    const [spent] = await database.ask<{ day: string; spent: bigint }>(
      "SELECT spent_day AS day, spent_day_pico_usd AS spent FROM @workspaces WHERE name = 'team'",
    );
    expect(spent).toEqual({ day: "2026-11-28", spent: 1_200_000_000n });
    await stores.close();

    const checked = await runCommand(["database", "check", "--config", file]);
    expect([checked.code, checked.out]).toEqual([0, expect.stringContaining("up to date")]);
    // Differences that arose meanwhile on one side, such as the grant above, are found.
    expect((await move()).errors).toContain("The two databases differ. workspaces: the row team");
    await database.ask("UPDATE @workspaces SET micro_credits = micro_credits + 1");
    expect((await runCommand(["database", "check", "--config", file])).errors).toContain(
      "its grants minus its charges",
    );
    await database.ask("DELETE FROM @moves");
    expect((await move()).errors).toContain("move into an empty one");
  }, 60_000);

  test("takes sums along, also of requests that were trimmed, and may be gone on with", async () => {
    await using database = postgresDatabase();
    using folder = temporaryFolder();
    const path = join(folder.path, "trimmed.db");
    const YEAR_AGO = NOON - 365 * DAY_MS;
    const old = await openSqlite(path, { ...realOutside, now: () => NOON });
    const ledger = old.openLedger();
    const workspaces = old.openWorkspaces(DEFAULTS);
    await workspaces.create("team", {}, 1_000n);
    for (let i = 0; i < 60; i++) {
      const startedAt = i < 30 ? YEAR_AGO + i * 60_000 : NOON - i * 60_000;
      const row = rowOf(i % 4, { started_at: startedAt, metadata: JSON.stringify({ run: i % 3 }) });
      await ledger.begin(underWay(row), holdingOf({ least: 0, most: 5 }));
      await ledger.settle(row);
    }
    const trimming = old.openTrimming(() => ({ requestsDays: 90, minutesDays: 30, hoursDays: 90 }));
    while (await trimming.bite());
    const asked = { since: YEAR_AGO - DAY_MS, until: NOON + DAY_MS, by: ["model"], top: 5 } as const;
    const told = async (stores: Stores) => [
      await stores.openStatements().history("team"),
      await stores.openStatements().invoice("team", "2025-11", ["day"]),
      await stores.openLedger().usage(0, ["day", "key"], { metadata: new Map([["run", "1"]]) }),
      await stores.openSeries().over({ ...asked, unit: "day" }),
      await stores.openSeries().over({ ...asked, unit: "hour", since: NOON - DAY_MS }),
    ];
    const before = await told(old);
    await old.close();

    const file = join(folder.path, "gateway.yaml");
    writeFileSync(file, `${database.yaml}providers: {}\nmodels: { chat: { embeddings: false } }\n`);
    const move = () => runCommand(["database", "move", `sqlite:${path}`, "--config", file]);
    const first = await move();
    expect([first.code, first.errors]).toEqual([0, expect.stringMatching(/ledger_days: [1-9]\d* rows/)]);
    // As if it had been broken off.
    await database.ask("UPDATE @moves SET finished_at = NULL");
    await database.ask("DELETE FROM @rollups WHERE unit_ms > 60000");
    await database.ask("UPDATE @sums SET summed_to = 0");
    expect((await move()).errors).toMatch(/rollups: \d+ rows compared, [1-9]\d* of them/);
    const stores = await database.open();
    expect(await told(stores)).toEqual(before);
    await stores.close();
    const checked = await runCommand(["database", "check", "--config", file]);
    expect([checked.code, checked.errors]).toEqual([0, expect.not.stringContaining("wrong")]);
    await database.ask("UPDATE @rollups SET cost_pico_usd = cost_pico_usd + 1 WHERE unit_ms = 3600000");
    const wrong = await runCommand(["database", "check", "--config", file]);
    expect([wrong.code, wrong.errors]).toEqual([1, expect.stringContaining("its charts are wrong")]);
  }, 60_000);

  test("compares every sum of trimmed days, though all rows were the same as they came", async () => {
    await using database = postgresDatabase();
    await (await database.open()).close();
    using folder = temporaryFolder();
    const path = join(folder.path, "days.db");
    await (await openSqlite(path, realOutside)).close();
    const source = new Database(path);
    const sums = DAY_SUMS.join(", ");
    // More than are compared at a time.
    source.run(
      `WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < 1001)
       INSERT INTO ledger_days (day, workspace, key_id, model, provider, status, error, metadata, grants, price, charged, first_at, ${sums})
       SELECT '2025-01-01', 'team', 'key', 'model' || i, 'p', 200, '', '', 0, 0, 1, i, ${DAY_SUMS.map(() => "1").join(", ")} FROM n`,
    );
    source.close();
    const pool = createPool(addressOf(database.config), 1, realOutside);
    for (const sum of DAY_SUMS) {
      // As a gateway would that is still at work there: a row is changed once it was compared.
      await database.ask(`CREATE OR REPLACE FUNCTION @meddle() RETURNS trigger LANGUAGE plpgsql AS
        $$ BEGIN UPDATE @ledger_days SET ${sum} = ${sum} + 1 WHERE first_at = 1; RETURN NULL; END $$`);
      await database.ask(`CREATE TRIGGER meddle AFTER INSERT ON @ledger_days FOR EACH ROW
        WHEN (NEW.model = 'model999') EXECUTE FUNCTION @meddle()`);
      await expect(moveFromSqlite(path, pool, () => undefined)).rejects.toThrow(
        `ledger_days: ${sum} come to 1002 in PostgreSQL and to 1001 in SQLite`,
      );
      await database.ask("DROP TRIGGER meddle ON @ledger_days");
      await database.ask("DELETE FROM @ledger_days");
    }
    await moveFromSqlite(path, pool, () => undefined);
    pool.close();
  }, 60_000);

  test("a database that does not exist is reported, and one in use elsewhere is not touched", async () => {
    await using database = postgresDatabase(POSTGRES_URL, { isNew: true });
    using folder = temporaryFolder();
    const file = join(folder.path, "gateway.yaml");
    writeFileSync(file, `${database.yaml}providers: {}\nmodels: { chat: { embeddings: false } }\n`);
    const missing = await runCommand(["database", "move", join(folder.path, "none.db"), "--config", file]);
    expect([missing.code, missing.errors]).toEqual([1, expect.stringContaining("There is no database at")]);
    new Database(join(folder.path, "sqlite.db")).close();
    const migrated = await runCommand(["database", "migrate", "--config", file, "--json"]);
    expect(JSON.parse(migrated.out)).toMatchObject({ steps: MIGRATIONS.length });
    expect(
      JSON.parse((await runCommand(["database", "migrate", "--config", file, "--json"])).out),
    ).toMatchObject({ steps: 0 });
  });
});
