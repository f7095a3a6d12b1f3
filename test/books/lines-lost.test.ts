/** A batch that a process lost to another: a line is charged once, whoever settles it and when, and nothing stays held. */
import { describe, expect, test } from "bun:test";
import { UNDER_WAY } from "../../src/books/ledger";
import { FAILED, holding, KINDS, reserve, row, TERMS } from "./batch-lines";

for (const { name, isThere, opened } of KINDS) {
  describe.skipIf(!isThere)(name, () => {
    test("a process that has lost its batch to another leaves the other's row as it is", async () => {
      await using database = await opened();
      const { ledger, account } = database;
      const other = await database.other();
      await reserve(ledger, 60n);
      await ledger.begin(row("a", { status: UNDER_WAY }), holding(20n));
      await other.lines.interrupt("batch_1");
      await other.lines.setAside("a");
      await other.begin(row("a", { status: UNDER_WAY }), holding(20n));
      await ledger.settle(
        row("a", { status: 503, error: "x", tokens_billed: 0, cost_pico_usd: 0n, cost_femto_credits: 0n }),
      );
      await other.settle(row("a"));
      expect(await account()).toEqual({
        micro_credits: 93n,
        micro_credits_held: 40n,
        pico_usd_held: 40n,
        reserved: 40n,
      });
      expect(await database.rows("request_id, status")).toEqual([
        { request_id: "a", status: 200n },
        { request_id: "a.1", status: 0n },
      ]);
    });

    test("an answered line is charged once, whichever processes settle it", async () => {
      await using database = await opened();
      const [one, other] = [database.ledger, await database.other()];
      await reserve(one, 60n);
      await one.begin(row("a", { status: UNDER_WAY }), holding(20n));
      await other.lines.interrupt("batch_1");
      await Promise.all([
        one.settle(row("a")),
        other.lines.settleOnce(row("a"), TERMS),
        one.lines.settleOnce(row("a"), TERMS),
        other.lines.settleOnce(row("a"), TERMS),
      ]);
      expect(await database.account()).toEqual({
        micro_credits: 93n,
        micro_credits_held: 53n,
        pico_usd_held: 53n,
        reserved: 53n,
      });
      expect(await database.rows("request_id, status")).toEqual([{ request_id: "a", status: 200n }]);
    });

    test("a line that another process has charged meanwhile is not charged again by the one that lost the batch", async () => {
      await using database = await opened();
      const [slow, next] = [database.ledger, await database.other()];
      await reserve(slow, 60n);
      await slow.begin(row("a", { status: UNDER_WAY }), holding(20n));
      await next.lines.interrupt("batch_1");
      await next.lines.settleOnce(row("a"), TERMS);
      await slow.settle(row("a"));
      expect(await database.account()).toEqual({
        micro_credits: 93n,
        micro_credits_held: 53n,
        pico_usd_held: 53n,
        reserved: 53n,
      });
      expect(await database.rows("request_id, status, micro_credits")).toEqual([
        { request_id: "a", status: 200n, micro_credits: 7n },
      ]);
    });

    test("a line that two processes have under way is charged once, and no hold is left", async () => {
      await using database = await opened();
      const [slow, next] = [database.ledger, await database.other()];
      await reserve(slow, 60n);
      await slow.begin(row("a", { status: UNDER_WAY }), holding(20n));
      await next.lines.interrupt("batch_1");
      await next.lines.setAside("a");
      await next.begin(row("a", { status: UNDER_WAY }), holding(20n));
      await slow.settle(row("a"));
      await next.settle(row("a"));
      expect(await database.account()).toEqual({
        micro_credits: 93n,
        micro_credits_held: 53n,
        pico_usd_held: 53n,
        reserved: 53n,
      });
      expect(await database.rows("request_id, status")).toEqual([
        { request_id: "a", status: 200n },
        { request_id: "a.1", status: 0n },
      ]);
    });

    test("a failed try that was charged, if only a fraction, stays on the bill when its line is settled", async () => {
      await using database = await opened();
      const { ledger } = database;
      await reserve(ledger, 60n);
      const fraction = { cost_pico_usd: 1n, cost_femto_credits: 400_000_000n };
      // The first pays a whole micro-credit, so that nothing is taken for the second.
      for (const id of ["b", "a"]) {
        await ledger.begin(row(id, { status: UNDER_WAY }), holding(20n));
        await ledger.settle(row(id, { ...FAILED, ...fraction }));
      }
      await ledger.lines.settleOnce(row("a"), TERMS);
      expect(await database.rows("request_id, status, micro_credits, cost_pico_usd")).toEqual([
        { request_id: "a", status: 200n, micro_credits: 7n, cost_pico_usd: 7n },
        { request_id: "a.1", status: 503n, micro_credits: 0n, cost_pico_usd: 1n },
        { request_id: "b", status: 503n, micro_credits: 1n, cost_pico_usd: 1n },
      ]);
    });
  });
}
