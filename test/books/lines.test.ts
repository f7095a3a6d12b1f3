/** Lines of batches in the ledger: held as a whole, charged once, whatever ended the process in between. */
import { describe, expect, test } from "bun:test";
import { UNDER_WAY } from "../../src/books/ledger";
import { STARTED_AT } from "../fake-outside";
import { POSTGRES_URL } from "../stores/databases";
import { amount, FAILED, holding, KINDS, onPostgres, reserve, row, TERMS } from "./batch-lines";

for (const { name, isThere, opened } of KINDS) {
  describe.skipIf(!isThere)(name, () => {
    describe("a batch's reserve", () => {
      test("pays for the holds of its lines, and the rest is released", async () => {
        await using database = await opened();
        const { ledger, account } = database;
        expect(await reserve(ledger, 60n)).toBe(true);
        expect(await account()).toEqual({
          micro_credits: 100n,
          micro_credits_held: 60n,
          pico_usd_held: 60n,
          reserved: 60n,
        });
        await ledger.begin(row("a", { status: UNDER_WAY }), holding(20n));
        expect(await account()).toEqual({
          micro_credits: 100n,
          micro_credits_held: 60n,
          pico_usd_held: 60n,
          reserved: 40n,
        });
        await ledger.settle(row("a"));
        expect(await account()).toEqual({
          micro_credits: 93n,
          micro_credits_held: 40n,
          pico_usd_held: 40n,
          reserved: 40n,
        });
        await ledger.lines.release("batch_1", STARTED_AT);
        expect(await account()).toEqual({
          micro_credits: 93n,
          micro_credits_held: 0n,
          pico_usd_held: 0n,
          reserved: null,
        });
        // Doing it twice changes nothing.
        await ledger.lines.release("batch_1", STARTED_AT);
        expect(await account()).toEqual({
          micro_credits: 93n,
          micro_credits_held: 0n,
          pico_usd_held: 0n,
          reserved: null,
        });
      });

      test("is not made if it does not fit", async () => {
        await using database = await opened();
        const { ledger, account } = database;
        await expect(reserve(ledger, 101n)).rejects.toMatchObject({ kind: "insufficient_credit" });
        // In SQLite the workspace does not even exist.
        expect((await account()) ?? { micro_credits_held: 0n, reserved: null }).toMatchObject({
          micro_credits_held: 0n,
          reserved: null,
        });
        await reserve(ledger, 60n);
        const other = { batch: "batch_2", workspace: "w", most: amount(50n), terms: TERMS, at: STARTED_AT };
        expect(await ledger.lines.reserve(other)).toBe(false);
        expect(await account()).toEqual({
          micro_credits: 100n,
          micro_credits_held: 60n,
          pico_usd_held: 60n,
          reserved: 60n,
        });
      });

      test("of a batch that does not exist is released", async () => {
        await using database = await opened();
        const { ledger, account } = database;
        await reserve(ledger, 60n);
        const other = await database.other();
        await database.end();
        await other.lines.releaseLost(STARTED_AT);
        expect(await account()).toEqual({
          micro_credits: 100n,
          micro_credits_held: 0n,
          pico_usd_held: 0n,
          reserved: null,
        });
      });

      test.each(["of all", "of the batch"])(
        "gets back what a crash left held, interrupted %s",
        async (which) => {
          await using database = await opened();
          const { ledger, account } = database;
          await database.create("batch_1");
          await reserve(ledger, 60n);
          await ledger.begin(row("a", { status: UNDER_WAY }), holding(20n));
          await ledger.begin(row("b", { status: UNDER_WAY, batch: null }), {
            ...holding(10n),
            reserve: undefined,
          });
          if (which === "of all") {
            // Nobody reports the dead process: in PostgreSQL its rows are released once it is gone.
            const other = await database.other();
            await database.end();
            expect(await other.settleInterrupted()).toBe(2);
            expect(await account()).toEqual({
              micro_credits: 100n,
              micro_credits_held: 60n,
              pico_usd_held: 60n,
              reserved: 60n,
            });
          } else {
            await ledger.lines.interrupt("batch_1");
            expect(await account()).toEqual({
              micro_credits: 100n,
              micro_credits_held: 70n,
              pico_usd_held: 70n,
              reserved: 60n,
            });
          }
          expect(await database.rows("request_id, error")).toContainEqual({
            request_id: "a",
            error: "interrupted",
          });
        },
      );
    });

    describe("a line that a crash interrupted", () => {
      test("is settled once, however often settling is repeated", async () => {
        await using database = await opened();
        const { ledger, account } = database;
        await reserve(ledger, 60n);
        await ledger.begin(row("a", { status: UNDER_WAY }), holding(20n));
        await ledger.lines.interrupt("batch_1");
        await ledger.lines.settleOnce(row("a"), TERMS);
        await ledger.lines.settleOnce(row("a"), TERMS);
        expect(await account()).toEqual({
          micro_credits: 93n,
          micro_credits_held: 53n,
          pico_usd_held: 53n,
          reserved: 53n,
        });
        expect(await database.rows("status, tokens_billed")).toEqual([{ status: 200n, tokens_billed: 1n }]);
        expect([...(await ledger.lines.answered("batch_1"))]).toEqual(["a"]);
      });

      test("is run again under its own id, and what was sent before still counts", async () => {
        await using database = await opened();
        const { ledger } = database;
        await reserve(ledger, 60n);
        for (let attempt = 0; attempt < 2; attempt++) {
          await ledger.begin(row("a", { status: UNDER_WAY }), holding(20n));
          await ledger.lines.interrupt("batch_1");
          await ledger.lines.setAside("a");
        }
        await ledger.begin(row("a", { status: UNDER_WAY }), holding(20n));
        await ledger.settle(row("a"));
        // Answered lines stay as they are.
        await ledger.lines.setAside("a");
        expect(await database.rows("request_id, status, tokens_upstream")).toEqual([
          { request_id: "a", status: 200n, tokens_upstream: 1n },
          { request_id: "a.1", status: 0n, tokens_upstream: 1n },
          { request_id: "a.2", status: 0n, tokens_upstream: 1n },
        ]);
      });
    });
  });
}

describe.skipIf(POSTGRES_URL === undefined)("lines on several machines", () => {
  test("reserves and lines at the same time never hold more than there is", async () => {
    await using database = await onPostgres();
    const ledgers = [database.ledger, await database.other(), await database.other()];
    const made = await Promise.all(
      Array.from({ length: 30 }, async (_, i) =>
        (ledgers[i % 3] ?? database.ledger).lines
          .reserve({ batch: `batch_${i}`, workspace: "w", most: amount(9n), terms: TERMS, at: STARTED_AT })
          .catch(() => false),
      ),
    );
    expect(made.filter(Boolean)).toHaveLength(11);
    const held = made.indexOf(true);
    const lines = Array.from({ length: 12 }, (_, i) => row(`line_${i}`, { batch: `batch_${held}` }));
    const [ledger = database.ledger] = ledgers;
    await Promise.all(
      lines.map((line) =>
        ledger.begin({ ...line, status: UNDER_WAY }, { ...holding(2n), reserve: `batch_${held}` }),
      ),
    );
    // Nine micro-credits were reserved: the first four lines get two each, the fifth what is left.
    const holds = (await database.rows("micro_credits_held")).map((one) => Object.values(one)[0]).toSorted();
    expect(holds).toEqual([0n, 0n, 0n, 0n, 0n, 0n, 0n, 1n, 2n, 2n, 2n, 2n]);
    for (const line of lines)
      await ledger.settle(line.request_id === "line_0" ? line : { ...line, ...FAILED });
    for (let i = 0; i < 30; i++) await ledger.lines.release(`batch_${i}`, STARTED_AT);
    expect(await database.account()).toEqual({
      // It cost seven: two were held for it, and one more was free.
      micro_credits: 97n,
      micro_credits_held: 0n,
      pico_usd_held: 0n,
      reserved: null,
    });
  });
});
