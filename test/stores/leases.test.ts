/**
 * Leases of credits (postgres.credit_lease): the same outcomes as without leases. And: leased credits cannot be spent by others, are returned
 * exactly once, and every machine can use the last credits.
 */
import { describe, expect, test } from "bun:test";
import type { Ledger } from "../../src/books/ledger";
import type { Outside } from "../../src/domain/outside";
import { realOutside } from "../../src/network/real-outside";
import { LOOK_MS } from "../../src/stores/postgres/leases";
import type { Stores } from "../../src/stores/stores";
import { POSTGRES_URL, type PostgresDatabase, postgresDatabase, wayToPostgres } from "./databases";
import { holdingOf, rowOf, underWay } from "./rows";

const DEFAULTS = () => ({});
const CREDITS = 1_000_000n;

/** Runs the check for unused leases when the test says so. */
function createLooks() {
  const rings: (() => void)[] = [];
  return {
    alarm(ms: number, ring: () => void) {
      if (ms !== LOOK_MS) return realOutside.alarm(ms, ring);
      rings.push(ring);
      return () => void rings.splice(rings.indexOf(ring), 1);
    },
    now() {
      for (const ring of rings.splice(0)) ring();
    },
  };
}

const leasing = (
  database: PostgresDatabase,
  process: string | null = null,
  fenced: () => void = () => undefined,
  { alarm }: Pick<Outside, "alarm"> = createLooks(),
) => database.open({ alarm }, { serves: { process, fenced }, creditLease: 1 });

const NOT_FENCED = () => undefined;

interface Leased {
  readonly leased: bigint;
  readonly spent: bigint;
}

const leased = (database: PostgresDatabase, process = "%") =>
  database
    .ask<Leased>(
      `SELECT coalesce(sum(micro_credits), 0)::bigint AS leased, coalesce(sum(micro_credits_spent), 0)::bigint AS spent
       FROM @leases WHERE process LIKE $1`,
      [process],
    )
    .then(([row]) => row ?? { leased: 0n, spent: 0n });

/** The workspace's row, without charges to leases. */
const account = (database: PostgresDatabase) =>
  database
    .ask<{ credits: bigint; held: bigint; held_usd: bigint; prepaid: bigint }>(
      `SELECT micro_credits AS credits, micro_credits_held AS held, pico_usd_held AS held_usd, femto_credits_prepaid AS prepaid
       FROM @workspaces WHERE name = 'team'`,
    )
    .then(([row]) => row);

async function spend(ledger: Ledger, cost: number, most = cost) {
  const row = rowOf(cost);
  await ledger.begin(underWay(row), holdingOf({ least: cost, most }));
  return ledger.settle(row);
}

const RETURNED_MS_MAX = 10_000;

/** Waits until this much is leased. */
async function untilLeased(
  database: PostgresDatabase,
  amount: bigint,
  looks: { now(): void },
): Promise<bigint> {
  const endsAt = performance.now() + RETURNED_MS_MAX;
  for (;;) {
    const found = (await leased(database)).leased;
    if (found === amount || performance.now() > endsAt) return found;
    looks.now();
    await Bun.sleep(20);
  }
}

const team = (stores: Stores) => stores.openWorkspaces(DEFAULTS).show("team");

describe.skipIf(POSTGRES_URL === undefined)("leases of credits", () => {
  test("requests are charged as without; the workspace's row is changed only with the lease", async () => {
    await using database = postgresDatabase();
    const stores = await leasing(database);
    await stores.openWorkspaces(DEFAULTS).create("team", {}, CREDITS);
    const ledger = stores.openLedger();
    expect(await spend(ledger, 5, 20)).toMatchObject({
      microCredits: 5n,
      taken: 5n,
      remaining: CREDITS - 5n,
    });
    expect(await spend(ledger, 3, 20)).toMatchObject({ taken: 3n, remaining: CREDITS - 8n });
    expect(await leased(database)).toEqual({ leased: 160n, spent: 8n });
    expect(await account(database)).toMatchObject({ credits: CREDITS, held: 160n });
    expect(await team(stores)).toMatchObject({ micro_credits: CREDITS - 8n, micro_credits_held: 152n });
    expect(await stores.openStatements().spent("team", Date.now())).toEqual({
      today: 8_000_000n,
      thisMonth: 8_000_000n,
    });
    await ledger.close();
    expect(await account(database)).toEqual({ credits: CREDITS - 8n, held: 0n, held_usd: 0n, prepaid: 0n });
    expect(await stores.openStatements().spent("team", Date.now())).toMatchObject({ today: 8_000_000n });
  });

  test("a lease that is not used is given back, though the machine goes on", async () => {
    await using database = postgresDatabase();
    const looks = createLooks();
    const stores = await leasing(database, null, NOT_FENCED, looks);
    await stores.openWorkspaces(DEFAULTS).create("team", {}, CREDITS);
    const ledger = stores.openLedger();
    const row = rowOf(2);
    await ledger.begin(underWay(row), holdingOf({ least: 1, most: 40 }));
    expect((await leased(database)).leased).toBe(320n);
    expect(await untilLeased(database, 40n, looks)).toBe(40n);
    expect(await ledger.settle(row)).toMatchObject({ taken: 2n, short: 0n });
    expect(await untilLeased(database, 0n, looks)).toBe(0n);
    expect(await account(database)).toMatchObject({ credits: CREDITS - 2n, held: 0n });
  });

  test("the last credits are usable from every machine, and never spent twice", async () => {
    await using database = postgresDatabase();
    const open = () => leasing(database, null, NOT_FENCED, realOutside);
    const all = await Promise.all([open(), open(), open()]);
    const [first] = all;
    if (!first) throw new Error("three were opened");
    await first.openWorkspaces(DEFAULTS).create("team", {}, 237n);
    const ledgers = all.map((stores) => stores.openLedger());
    const exact = holdingOf({ least: 1, most: 1 });
    const outcomes = await Promise.all(
      Array.from({ length: 600 }, async (_, i) => {
        const ledger = ledgers[i % ledgers.length];
        await Bun.sleep(i % 50);
        const row = rowOf(1);
        for (;;) {
          try {
            if (await ledger?.begin(underWay(row), exact)) break;
          } catch {
            return "refused";
          }
          await Bun.sleep(20);
        }
        return (await ledger?.settle(row))?.short === 0n ? "answered" : "short";
      }),
    );
    const count = (which: string) => outcomes.filter((one) => one === which).length;
    expect([count("answered"), count("short")]).toEqual([237, 0]);
    for (const ledger of ledgers) await ledger.close();
    expect(await account(database)).toMatchObject({ credits: 0n, held: 0n, held_usd: 0n });
  });

  test("a retried call that cost more than was held is paid by what of the lease nobody holds", async () => {
    await using database = postgresDatabase();
    const stores = await leasing(database);
    await stores.openWorkspaces(DEFAULTS).create("team", {}, CREDITS);
    const ledger = stores.openLedger();
    const [other, dear] = [rowOf(10), rowOf(1_000)];
    for (const row of [other, dear]) await ledger.begin(underWay(row), holdingOf({ least: 1, most: 10 }));
    // 80 are leased, and the other request holds 10 of them.
    expect(await ledger.settle(dear)).toMatchObject({ taken: 70n, short: 930n });
    expect(await ledger.settle(other)).toMatchObject({ taken: 10n, short: 0n });
  });

  test("fractions add up over time, whichever lease they were charged to", async () => {
    await using database = postgresDatabase();
    const all = await Promise.all([leasing(database), leasing(database)]);
    const [first] = all;
    await first?.openWorkspaces(DEFAULTS).create("team", {}, CREDITS);
    const ledgers = all.map((stores) => stores.openLedger());
    const rows = Array.from({ length: 40 }, () => ({ ...rowOf(1), cost_femto_credits: 100_000_000n }));
    await Promise.all(
      rows.map(async (row, i) => {
        const ledger = ledgers[i % 2];
        await ledger?.begin(underWay(row), holdingOf({ least: 0, most: 2 }));
        await ledger?.settle(row);
      }),
    );
    for (const ledger of ledgers) await ledger.close();
    const found = await account(database);
    const [sums] = await database.ask<{ taken: bigint; rounded: bigint }>(
      "SELECT sum(micro_credits_taken)::bigint AS taken, sum(femto_credits_rounded)::bigint AS rounded FROM @ledger",
    );
    expect(found).toEqual({
      credits: CREDITS - (sums?.taken ?? 0n),
      held: 0n,
      held_usd: 0n,
      prepaid: sums?.rounded ?? -1n,
    });
    expect([4n, 5n]).toContain(sums?.taken ?? 0n);
  });

  test("what a dead machine had leased is free again, once, whichever release strikes it off", async () => {
    await using database = postgresDatabase();
    let fenced = 0;
    const [stopped, other] = [
      await leasing(database, "stopped", () => {
        fenced += 1;
      }),
      await leasing(database, "other"),
    ];
    await other.openWorkspaces(DEFAULTS).create("team", {}, CREDITS);
    const ledger = stopped.openLedger();
    await spend(ledger, 5, 20);
    const row = rowOf(5);
    await ledger.begin(underWay(row), holdingOf({ least: 1, most: 20 }));
    expect(await leased(database, "stopped")).toEqual({ leased: 160n, spent: 5n });
    const others = other.openLedger();
    const counts = await Promise.all([
      others.settleInterrupted("stopped"),
      database.ask("DELETE FROM @instances WHERE id = 'stopped'"),
      others.settleInterrupted("stopped"),
    ]);
    expect(Number(counts[0]) + Number(counts[2])).toBe(1);
    expect(await account(database)).toMatchObject({ credits: CREDITS - 5n, held: 0n, held_usd: 0n });
    await expect(ledger.settle(row)).rejects.toMatchObject({ kind: "ledger_unavailable" });
    expect(fenced).toBe(1);
    await expect(spend(ledger, 1)).rejects.toMatchObject({ kind: "ledger_unavailable" });
    expect(await account(database)).toMatchObject({ credits: CREDITS - 5n, held: 0n, held_usd: 0n });
  });

  test("a workspace with a spending cap is not leased, and one that is given a cap holds for it what is leased", async () => {
    await using database = postgresDatabase();
    const [here, there] = [await leasing(database), await leasing(database)];
    await here.openWorkspaces(DEFAULTS).create("team", {}, null);
    const [ledger, others] = [here.openLedger(), there.openLedger()];
    const capped = holdingOf({ least: 5, most: 5, day: 100_000_000n });
    const row = rowOf(5);
    await ledger.begin(underWay(row), capped);
    expect(await leased(database)).toEqual({ leased: 0n, spent: 0n });
    await ledger.settle(row);
    // A request that began before the cap was set.
    const before = rowOf(60);
    await ledger.begin(underWay(before), holdingOf({ least: 60, most: 60 }));
    const second = rowOf(60);
    expect(await others.begin(underWay(second), holdingOf({ least: 60, most: 60, day: 100_000_000n }))).toBe(
      false,
    );
    await ledger.settle(before);
    await ledger.close();
    await expect(
      others.begin(underWay(second), holdingOf({ least: 60, most: 60, day: 100_000_000n })),
    ).rejects.toMatchObject({ kind: "cap_exceeded" });
  });

  test("credits are granted, set and shown while some are leased", async () => {
    await using database = postgresDatabase();
    const looks = createLooks();
    const stores = await leasing(database, null, NOT_FENCED, looks);
    const workspaces = stores.openWorkspaces(DEFAULTS);
    await workspaces.create("team", {}, CREDITS);
    const ledger = stores.openLedger();
    await spend(ledger, 5, 20);
    await workspaces.grant("team", 100n, "more");
    expect(await team(stores)).toMatchObject({ micro_credits: CREDITS + 95n });
    await spend(ledger, 5, 20);
    expect(await workspaces.setCredits("team", 500n, "less")).toMatchObject({ micro_credits: 500n });
    await spend(ledger, 5, 20);
    await expect(workspaces.setCredits("team", 1n, "none")).rejects.toThrow("requests in flight hold");
    expect(await untilLeased(database, 0n, looks)).toBe(0n);
    expect(await workspaces.setCredits("team", 0n, "none")).toMatchObject({ micro_credits: 0n });
    const [sums] = await database.ask<{ differs: bigint }>(
      `SELECT ((SELECT sum(micro_credits) FROM @credit_grants) - (SELECT sum(micro_credits_taken) FROM @ledger))::bigint AS differs`,
    );
    expect(sums?.differs).toBe(0n);
  });

  test("a workspace without a limit that is given one has no more leased than it has", async () => {
    await using database = postgresDatabase();
    const stores = await leasing(database);
    const workspaces = stores.openWorkspaces(DEFAULTS);
    await workspaces.create("team", {}, null);
    const ledger = stores.openLedger();
    expect(await spend(ledger, 5, 20)).toMatchObject({ microCredits: 5n, taken: 0n, remaining: null });
    expect(await leased(database)).toEqual({ leased: 160n, spent: 0n });
    await workspaces.setCredits("team", 30n, "some");
    expect((await leased(database)).leased).toBe(30n);
    expect(await spend(ledger, 20)).toMatchObject({ taken: 20n, short: 0n, remaining: 10n });
    expect(await spend(ledger, 20)).toMatchObject({ taken: 10n, short: 10n, remaining: 0n });
    await ledger.close();
    expect(await account(database)).toMatchObject({ credits: 0n, held: 0n, held_usd: 0n });
  });

  test("what was leased is given back, though nobody heard whether it had been", async () => {
    await using database = postgresDatabase();
    using way = wayToPostgres();
    const looks = createLooks();
    let isHasty = false;
    const stores = await database.open(
      { alarm: (ms, ring) => looks.alarm(isHasty && ms !== LOOK_MS ? Math.min(ms, 100) : ms, ring) },
      { serves: { process: null, fenced: NOT_FENCED }, creditLease: 1, url: way.url },
    );
    await stores.openWorkspaces(DEFAULTS).create("team", {}, CREDITS);
    await spend(stores.openLedger(), 5, 20);
    looks.now();
    way.be("frozen");
    isHasty = true;
    // The return is requested, and lost.
    looks.now();
    await Bun.sleep(200);
    expect((await leased(database)).leased).toBe(160n);
    isHasty = false;
    way.be("open");
    expect(await untilLeased(database, 0n, looks)).toBe(0n);
    expect(await account(database)).toMatchObject({ credits: CREDITS - 5n, held: 0n });
  });

  test("what arrives late at the database changes nothing", async () => {
    await using database = postgresDatabase();
    const stores = await leasing(database, "one");
    await stores.openWorkspaces(DEFAULTS).create("team", {}, CREDITS);
    await spend(stores.openLedger(), 5, 20);
    const late = await database.ask<{ leased_credits: bigint | null }>(
      "SELECT leased_credits FROM @lease('team', 'one', 1, 0, 0, 0, 0, 0)",
    );
    expect(late).toEqual([expect.objectContaining({ leased_credits: null })]);
    expect((await leased(database)).leased).toBe(160n);
  });

  test("a workspace that few ask for is not leased", async () => {
    await using database = postgresDatabase();
    const { alarm } = createLooks();
    const stores = await database.open(
      { alarm },
      { serves: { process: null, fenced: NOT_FENCED }, creditLease: 50 },
    );
    await stores.openWorkspaces(DEFAULTS).create("team", {}, CREDITS);
    const ledger = stores.openLedger();
    const atOnce = (count: number) => Promise.all(Array.from({ length: count }, () => spend(ledger, 1)));
    await atOnce(30);
    expect((await leased(database)).leased).toBe(0n);
    await atOnce(60);
    expect((await leased(database)).leased).toBeGreaterThan(0n);
  });
});
