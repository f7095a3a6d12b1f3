/** Requests that begin and others that are settled at the same moment are one statement, whatever another machine does meanwhile. */
import { describe, expect, test } from "bun:test";
import { SQL } from "bun";
import { aroundQueries } from "../around-queries";
import { POSTGRES_URL, postgresDatabase } from "../databases";
import { holdingOf, NOON, rowOf, underWay } from "../rows";

const HELD = holdingOf({ least: 10, most: 10 });
const WRITES = /ledger|BEGIN|COMMIT/;

const recording = (texts: string[]) =>
  aroundQueries(({ text }, ask) => {
    if (WRITES.test(text)) texts.push(text);
    return ask();
  });

async function opened(micro_credits: bigint) {
  const database = postgresDatabase();
  const texts: string[] = [];
  const stores = await database.open({ now: () => NOON, postgres: recording(texts) });
  const workspaces = stores.openWorkspaces(() => ({}));
  await workspaces.create("team", {}, micro_credits);
  return { database, texts, workspaces, ledger: stores.openLedger() };
}

describe.skipIf(POSTGRES_URL === undefined)("what begins and what is settled at the same moment", () => {
  test("is one statement, which is its own transaction", async () => {
    const { database, texts, workspaces, ledger } = await opened(100n);
    await using _ = database;
    const [row, next] = [rowOf(7), rowOf(5)];
    await ledger.begin(underWay(row), HELD);
    texts.length = 0;
    const [charge, isBegun] = await Promise.all([ledger.settle(row), ledger.begin(underWay(next), HELD)]);
    expect([charge.remaining, isBegun]).toEqual([93n, true]);
    expect(texts).toHaveLength(1);
    expect(await workspaces.show("team")).toMatchObject({ micro_credits: 93n, micro_credits_held: 10n });
  });

  test("settles the ones where the others do not fit, and their rows are not written", async () => {
    const { database, workspaces, ledger } = await opened(15n);
    await using _ = database;
    const [row, next] = [rowOf(7), rowOf(5)];
    await ledger.begin(underWay(row), HELD);
    const [charge, refused] = await Promise.allSettled([
      ledger.settle(row),
      ledger.begin(underWay(next), HELD),
    ]);
    expect(charge).toMatchObject({ value: { microCredits: 7n, remaining: 8n } });
    expect(refused).toMatchObject({ reason: { kind: "insufficient_credit" } });
    expect(await workspaces.show("team")).toMatchObject({ micro_credits: 8n, micro_credits_held: 0n });
    expect(await database.ask("SELECT 1 FROM @ledger")).toHaveLength(1);
  });

  test("begins the ones where another machine interrupts the others while it waits for the workspace's row", async () => {
    const { database, workspaces, ledger } = await opened(100n);
    await using _ = database;
    const [row, next] = [rowOf(7), rowOf(5)];
    await ledger.begin(underWay(row), HELD);
    await using other = new SQL({ url: POSTGRES_URL ?? "", max: 1 });
    const schema = database.config.schema;
    const { promise: isWaiting, resolve: waits } = Promise.withResolvers<void>();
    const interrupting = other.begin(async (sql) => {
      await sql.unsafe(`UPDATE "${schema}".workspaces SET micro_credits_held = 0, pico_usd_held = 0`);
      waits();
      // Until the statement waits for this transaction.
      for (;;) {
        const [{ blocked }] =
          await sql`SELECT count(*)::integer AS blocked FROM pg_locks l JOIN pg_stat_activity a USING (pid)
          WHERE NOT l.granted AND pg_backend_pid() = ANY(pg_blocking_pids(l.pid))`;
        if (blocked > 0) break;
      }
      await sql.unsafe(
        `UPDATE "${schema}".ledger SET error = 'interrupted', micro_credits_held = 0, pico_usd_held = 0`,
      );
    });
    await isWaiting;
    const [charge, isBegun] = await Promise.allSettled([
      ledger.settle(row),
      ledger.begin(underWay(next), HELD),
    ]);
    await interrupting;
    // Only a process that was taken for dead loses its rows: it finds that out as it settles them.
    expect(charge).toMatchObject({ status: "rejected", reason: { kind: "ledger_unavailable" } });
    expect(isBegun).toMatchObject({ value: true });
    expect(await workspaces.show("team")).toMatchObject({ micro_credits: 100n, micro_credits_held: 10n });
  });
});
