/**
 * Part of the one suite for every database: holds, charges, caps and releases. A new promise of src/stores/stores.ts is a test in one of these
 * files; a separate file has what only one database has.
 */
import { describe, expect, test } from "bun:test";
import type { LedgerRow } from "../../src/books/ledger-row";
import { asGatewayError } from "../../src/domain/errors";
import { KINDS, LEASING } from "./databases";
import { holdingOf, NOON, rowOf, underWay } from "./rows";

const DEFAULTS = () => ({});
const CODE = { kind: "insufficient_credit" };

for (const { name, isThere, make } of [...KINDS, LEASING]) {
  describe.skipIf(!isThere)(name, () => {
    test("what a request may cost is held, and its actual cost replaces the hold", async () => {
      await using database = make();
      const stores = await database.open({ now: () => NOON });
      const workspaces = stores.openWorkspaces(DEFAULTS);
      const ledger = stores.openLedger("one");
      await workspaces.create("team", {}, 100n);
      const row = rowOf(12);
      expect(await ledger.begin(underWay(row), holdingOf({ least: 1, most: 40 }))).toBe(true);
      expect(await workspaces.show("team")).toMatchObject({ micro_credits: 100n, micro_credits_held: 40n });
      expect(await ledger.settle(row)).toEqual({
        microCredits: 12n,
        taken: 12n,
        short: 0n,
        remaining: 88n,
        femtoCreditsRounded: 0n,
      });
      expect(await workspaces.show("team")).toMatchObject({ micro_credits: 88n, micro_credits_held: 0n });
      expect(await stores.openRequests().show(row.request_id)).toMatchObject({
        status: 200n,
        micro_credits: 12n,
        tokens: 12n,
        workspace: "team",
        started_at: BigInt(NOON),
      });
    });

    test("near the end a request holds what is left, others wait for it, and what can never fit is refused", async () => {
      await using database = make();
      const stores = await database.open({ now: () => NOON });
      const ledger = stores.openLedger();
      await stores.openWorkspaces(DEFAULTS).create("team", {}, 10n);
      const [first, second] = [rowOf(4), rowOf(3)];
      const near = holdingOf({ least: 2, most: 40 });
      expect(await ledger.begin(underWay(first), near)).toBe(true);
      expect(await ledger.begin(underWay(second), near)).toBe(false);
      await expect(
        ledger.begin(underWay(rowOf(1)), holdingOf({ least: 11, most: 40 })),
      ).rejects.toMatchObject(CODE);
      await ledger.settle(first);
      expect(await ledger.begin(underWay(second), near)).toBe(true);
      // More than was held and than is left: recorded, and not taken.
      expect(await ledger.settle({ ...rowOf(9), request_id: second.request_id })).toMatchObject({
        microCredits: 6n,
        short: 3n,
        remaining: 0n,
      });
      await expect(ledger.begin(underWay(rowOf(1)), near)).rejects.toMatchObject(CODE);
    });

    test("the balance is never overspent by simultaneous requests", async () => {
      await using database = make();
      const stores = await database.open({ now: () => NOON });
      const ledger = stores.openLedger();
      await stores.openWorkspaces(DEFAULTS).create("team", {}, 37n);
      const exact = holdingOf({ least: 1, most: 1 });
      const outcomes = await Promise.all(
        Array.from({ length: 200 }, async () => {
          const row = rowOf(1);
          for (;;) {
            try {
              if (!(await ledger.begin(underWay(row), exact))) continue;
            } catch {
              return "refused";
            }
            await ledger.settle(row);
            return "answered";
          }
        }),
      );
      expect(outcomes.filter((one) => one === "answered")).toHaveLength(37);
      expect((await stores.openWorkspaces(DEFAULTS).show("team")).micro_credits).toBe(0n);
    });

    test("what begins and what is settled at the same moment leaves exact sums, whether the holds fit or not", async () => {
      await using database = make();
      const stores = await database.open({ now: () => NOON });
      const ledger = stores.openLedger();
      const workspaces = stores.openWorkspaces(DEFAULTS);
      await workspaces.create("team", {}, 100n);
      const held = holdingOf({ least: 10, most: 10, day: 1_000_000_000n });
      const some = (count: number, cost: number) => Array.from({ length: count }, () => rowOf(cost));
      const begin = (rows: readonly LedgerRow[]) =>
        rows.map((row) =>
          ledger.begin(underWay(row), held).catch((thrown: unknown) => asGatewayError(thrown).kind),
        );
      const settle = (rows: readonly LedgerRow[]) => rows.map((row) => ledger.settle(row));
      const [first, second, third] = [some(5, 7), some(5, 3), some(3, 10)];
      expect(await Promise.all(begin(first))).toEqual(Array(5).fill(true));
      // 100 less the five holds of ten: the next five fit.
      const [charged, begun] = await Promise.all([Promise.all(settle(first)), Promise.all(begin(second))]);
      expect(charged.map(({ microCredits }) => microCredits)).toEqual(Array(5).fill(7n));
      expect(charged.map(({ remaining }) => remaining)).toContain(65n);
      expect(begun).toEqual(Array(5).fill(true));
      expect(await workspaces.show("team")).toMatchObject({ micro_credits: 65n, micro_credits_held: 50n });
      // Of 15 that nobody holds, three times ten do not fit before the settling, and do after it.
      const late = await Promise.all([Promise.all(settle(second)), Promise.all(begin(third))]);
      expect(late[0].map(({ short }) => short)).toEqual(Array(5).fill(0n));
      const going = third.filter((_, i) => late[1][i] === true);
      const waiting = third.filter((_, i) => late[1][i] === false);
      expect(going.length + waiting.length).toBe(3);
      expect(await workspaces.show("team")).toMatchObject({
        micro_credits: 50n,
        micro_credits_held: BigInt(10 * going.length),
      });
      expect(await Promise.all(begin(waiting))).toEqual(waiting.map(() => true));
      await Promise.all(settle(third));
      expect(await workspaces.show("team")).toMatchObject({ micro_credits: 20n, micro_credits_held: 0n });
      expect(await stores.openStatements().spent("team", NOON)).toMatchObject({ today: 80_000_000n });
      for (const row of [...first, ...second, ...third])
        expect(await stores.openRequests().show(row.request_id)).toMatchObject({
          status: 200n,
          micro_credits: row.cost_femto_credits / 1_000_000_000n,
        });
    });

    test("caps are for a day and a month, and reset with them", async () => {
      await using database = make();
      const stores = await database.open({ now: () => NOON });
      const ledger = stores.openLedger();
      const DAY_MS = 86_400_000;
      const at = (days: number) => ({ started_at: NOON + days * DAY_MS });
      const held = { least: 5, most: 5, day: 10_000_000n, month: 20_000_000n };
      const spend = async (days: number) => {
        const row = rowOf(5, at(days));
        await ledger.begin(underWay(row), holdingOf(held));
        await ledger.settle(row);
      };
      await spend(0);
      await spend(0);
      await expect(spend(0)).rejects.toMatchObject({ kind: "cap_exceeded" });
      await spend(1);
      await spend(1);
      // Both of November's caps are reached: the month's ends later.
      await expect(spend(1)).rejects.toThrow("cap_usd_per_month");
      await spend(3);
      expect(await stores.openStatements().spent("team", NOON + 3 * DAY_MS)).toEqual({
        today: 5_000_000n,
        thisMonth: 5_000_000n,
      });
    });

    test("charges of fractions add up over time", async () => {
      await using database = make();
      const stores = await database.open({ now: () => NOON });
      const ledger = stores.openLedger();
      const workspaces = stores.openWorkspaces(DEFAULTS);
      await workspaces.create("team", {}, 1_000n);
      const rows = Array.from({ length: 30 }, () => ({ ...rowOf(1), cost_femto_credits: 100_000_000n }));
      for (const row of rows) await ledger.begin(underWay(row), holdingOf({ least: 0, most: 2 }));
      await Promise.all(rows.map((row) => ledger.settle(row)));
      expect((await workspaces.show("team")).micro_credits).toBe(997n);
    });

    test("a row that is settled twice is charged once; one that was never begun is still written", async () => {
      await using database = make();
      const stores = await database.open({ now: () => NOON });
      const ledger = stores.openLedger();
      await stores.openWorkspaces(DEFAULTS).create("team", {}, 100n);
      const free = rowOf(0, { cache_hits: 1, tokens_upstream: 0 });
      await ledger.settle(free);
      expect((await stores.openRequests().show(free.request_id))?.cache_hits).toBe(1n);
      const failed = rowOf(0, { status: 502, error: "upstream_malformed", metadata: '{"a":"b"}' });
      await ledger.begin(underWay(failed), holdingOf({ least: 1, most: 9 }));
      await ledger.settle(failed);
      await ledger.close();
      expect(await stores.openWorkspaces(DEFAULTS).show("team")).toMatchObject({
        micro_credits: 100n,
        micro_credits_held: 0n,
      });
    });

    test("rows without a living process are interrupted once, and their holds are released", async () => {
      await using database = make();
      const serves = { process: "dead", fenced: () => undefined };
      const stores = await database.open({ now: () => NOON }, { serves });
      const workspaces = stores.openWorkspaces(DEFAULTS);
      const ledger = stores.openLedger("dead");
      await workspaces.create("team", {}, 100n);
      const row = rowOf(3);
      await ledger.begin(underWay(row), holdingOf({ least: 1, most: 40 }));
      expect(await ledger.settleInterrupted("other")).toBe(0);
      expect([await ledger.settleInterrupted("dead"), await ledger.settleInterrupted("dead")]).toEqual([
        1, 0,
      ]);
      expect((await workspaces.show("team")).micro_credits_held).toBe(0n);
      expect(await stores.openRequests().show(row.request_id)).toMatchObject({
        error: "interrupted",
        status: 0n,
      });
    });
  });
}
