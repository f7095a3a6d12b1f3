/** postgres.on_outage: spool. Workspaces without a limit continue while the database is away, and every row is written in the end, once. */
import { describe, expect, test } from "bun:test";
import { existsSync, readdirSync } from "node:fs";
import { join } from "node:path";
import { temporaryFolder } from "../serving";
import { POSTGRES_URL, postgresDatabase, wayToPostgres } from "./databases";
import { holdingOf, rowOf, underWay } from "./rows";

const DEFAULTS = () => ({});
const SERVES = { process: null, fenced: () => undefined };
const FREE = holdingOf({ least: 1, most: 9 });

async function until(isSo: () => boolean | Promise<boolean>, ms = 15_000): Promise<boolean> {
  const endsAt = performance.now() + ms;
  while (performance.now() < endsAt) {
    if (await isSo()) return true;
    await Bun.sleep(20);
  }
  return false;
}

describe.skipIf(POSTGRES_URL === undefined)("while PostgreSQL is down", () => {
  test("requests without a limit go on, others are refused, and each row is written once it is back", async () => {
    using way = wayToPostgres();
    using folder = temporaryFolder();
    await using database = postgresDatabase();
    const stores = await database.open(
      {},
      { serves: SERVES, url: way.url, onOutage: "spool", files: join(folder.path, "postgres") },
    );
    const workspaces = stores.openWorkspaces(DEFAULTS);
    await workspaces.create("team", {}, null);
    await workspaces.create("payer", {}, 100n);
    const keys = stores.openKeys();
    const { key } = await keys.create("ci", "team");
    const ledger = stores.openLedger();
    const [before, during, hit, failed] = [
      rowOf(3),
      rowOf(4),
      rowOf(0, { tokens_upstream: 0, cache_hits: 1 }),
      rowOf(0, { status: 502, error: "upstream_malformed", tokens_upstream: 7 }),
    ];
    await ledger.begin(underWay(before), FREE);
    way.be("cut");
    expect(await until(() => keys.ready?.() === undefined)).toBe(true);
    for (const row of [during, failed]) expect(await ledger.begin(underWay(row), FREE)).toBe(true);
    for (const row of [before, during, hit, failed]) await ledger.settle(row);
    await expect(ledger.begin(underWay(rowOf(1, { workspace: "payer" })), FREE)).rejects.toMatchObject({
      kind: "ledger_unavailable",
    });
    expect(keys.find(key)?.workspace).toBe("team");
    stores.check();
    expect(readdirSync(folder.path).filter((name) => name.startsWith("postgres-spool-"))).toHaveLength(1);

    way.be("open");
    const rows = () =>
      database.ask<{ request_id: string; status: number; tokens: bigint }>(
        "SELECT request_id, status, tokens FROM @ledger WHERE status <> 0 ORDER BY request_id",
      );
    expect(await until(async () => (await rows()).length === 4)).toBe(true);
    expect(await rows()).toEqual(
      [before, during, hit, failed].map(({ request_id, status, tokens }) => ({
        request_id,
        status,
        tokens: BigInt(tokens),
      })),
    );
    expect(await until(() => !readdirSync(folder.path).some((name) => name.includes("-spool-")))).toBe(true);
    expect(await workspaces.show("team")).toMatchObject({ micro_credits_held: 0n });
  }, 60_000);

  test("what a killed process left in its file is delivered by the next one", async () => {
    using way = wayToPostgres();
    using folder = temporaryFolder();
    await using database = postgresDatabase();
    const files = join(folder.path, "postgres");
    const killed = await database.open(
      {},
      { serves: { ...SERVES, process: "killed" }, url: way.url, onOutage: "spool", files },
    );
    await killed.openWorkspaces(DEFAULTS).create("team", {}, null);
    const ledger = killed.openLedger();
    const [answered, interrupted] = [rowOf(5), rowOf(6)];
    way.be("cut");
    for (const row of [answered, interrupted]) await ledger.begin(underWay(row), FREE);
    await ledger.settle(answered);
    expect(existsSync(`${files}-spool-killed`)).toBe(true);
    await database.ask("DELETE FROM @instances");

    const next = await database.open({}, { serves: SERVES, onOutage: "spool", files });
    next.openLedger();
    expect(await until(() => !existsSync(`${files}-spool-killed`))).toBe(true);
    expect(
      await database.ask(
        "SELECT request_id, status, error, tokens_upstream AS upstream FROM @ledger ORDER BY request_id",
      ),
    ).toEqual([
      { request_id: answered.request_id, status: 200, error: null, upstream: 5n },
      { request_id: interrupted.request_id, status: 0, error: "interrupted", upstream: 6n },
    ]);
  }, 60_000);
});
