/** Lines of batches in the ledger: held as a whole, charged once, whatever ended the process in between. */
import { describe, expect, test } from "bun:test";
import { type Ledger, openLedger, UNDER_WAY } from "../../src/books/ledger";
import type { LedgerRow } from "../../src/books/ledger-row";
import { openStore } from "../../src/db/open";
import { fakeOutside, STARTED_AT } from "../fake-outside";
import { POSTGRES_URL, postgresDatabase } from "../stores/databases";

const TERMS = { startingMicroCredits: 100n, caps: { day: undefined, month: undefined } };
const amount = (microCredits: bigint) => ({
  femtoCredits: microCredits * 1_000_000_000n,
  picoUsd: microCredits,
});
const holding = (microCredits: bigint) => ({
  estimate: { least: amount(microCredits), most: amount(microCredits) },
  terms: TERMS,
  reserve: "batch_1",
});

const row = (id: string, more: Partial<LedgerRow> = {}): LedgerRow => ({
  request_id: id,
  started_at: STARTED_AT,
  workspace: "w",
  key_id: null,
  model: "m",
  provider: "p",
  inputs: 1,
  cache_hits: 0,
  tokens: 1,
  tokens_upstream: 1,
  tokens_abandoned: 0,
  tokens_billed: 1,
  tokens_source: "provider",
  status: 200,
  error: null,
  latency_ms: 1,
  cost_pico_usd: 7n,
  cost_femto_credits: 7_000_000_000n,
  user: null,
  metadata: null,
  batch: "batch_1",
  ...more,
});

const FAILED = {
  status: 503,
  error: "x",
  tokens_billed: 0,
  cost_pico_usd: 0n,
  cost_femto_credits: 0n,
} as const;

interface Opened extends AsyncDisposable {
  readonly ledger: Ledger;
  /** Another process's. */
  other(): Promise<Ledger>;
  /** The process of `ledger` has ended. */
  end(): Promise<void>;
  account(): Promise<unknown>;
  create(batch: string): Promise<unknown>;
  rows(columns: string): Promise<readonly object[]>;
}

const ACCOUNT =
  "SELECT micro_credits, micro_credits_held, pico_usd_held, (SELECT micro_credits FROM @reserves) AS reserved FROM @workspaces";

const createText = (batch: string) =>
  `INSERT INTO @batches (id, workspace, input_file_id, status, created_at, expires_at, lines)
   VALUES ('${batch}', 'w', 'file-1', 'in_progress', 1, 2, 1)`;

async function onSqlite(): Promise<Opened> {
  const store = await openStore(":memory:", fakeOutside().outside);
  const ask = (text: string) => store.database.query<object, []>(text.replaceAll("@", "")).all();
  return {
    ledger: openLedger(store),
    other: async () => openLedger(store),
    end: async () => undefined,
    account: async () => ask(ACCOUNT)[0],
    create: async (batch) => ask(createText(batch)),
    rows: async (columns) => ask(`SELECT ${columns} FROM @ledger ORDER BY request_id`),
    async [Symbol.asyncDispose]() {
      store.close();
    },
  };
}

async function onPostgres(): Promise<Opened> {
  const database = postgresDatabase();
  const now = () => STARTED_AT;
  const stores = await database.open({ now });
  return {
    ledger: stores.openLedger(),
    other: async () => (await database.open({ now })).openLedger(),
    end: () => stores.close(),
    account: async () => (await database.ask(ACCOUNT))[0],
    create: (batch) => database.ask(createText(batch)),
    rows: async (columns) =>
      (await database.ask<object>(`SELECT ${columns} FROM @ledger ORDER BY request_id COLLATE "C"`)).map(
        (row) =>
          // Its integer is a number, and its bigint a bigint: in SQLite all are bigints.
          Object.fromEntries(
            Object.entries(row).map(([name, value]) => [
              name,
              typeof value === "number" ? BigInt(value) : value,
            ]),
          ),
      ),
    [Symbol.asyncDispose]: () => database[Symbol.asyncDispose](),
  };
}

const KINDS = [
  { name: "SQLite", isThere: true, opened: onSqlite },
  { name: "PostgreSQL", isThere: POSTGRES_URL !== undefined, opened: onPostgres },
];

const reserve = (ledger: Ledger, microCredits: bigint) =>
  ledger.lines.reserve({
    batch: "batch_1",
    workspace: "w",
    most: amount(microCredits),
    terms: TERMS,
    at: STARTED_AT,
  });

for (const { name, isThere, opened } of KINDS) {
  describe.skipIf(!isThere)(name, () => {
    describe("a batch's reserve", () => {
      test("is what its lines are held of, and what is left goes back", async () => {
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
        // Twice is once.
        await ledger.lines.release("batch_1", STARTED_AT);
        expect(await account()).toEqual({
          micro_credits: 93n,
          micro_credits_held: 0n,
          pico_usd_held: 0n,
          reserved: null,
        });
      });

      test("is not made where it does not fit", async () => {
        await using database = await opened();
        const { ledger, account } = database;
        await expect(reserve(ledger, 101n)).rejects.toMatchObject({ kind: "insufficient_credit" });
        // In SQLite there is not even a workspace.
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

      test("that no batch has is given back", async () => {
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
            // The process is told of by nobody: in PostgreSQL its rows are released once it is gone.
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

    describe("a line that a crash ended", () => {
      test("is settled once, however often it is said", async () => {
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
        // What was answered stays as it is.
        await ledger.lines.setAside("a");
        expect(await database.rows("request_id, status, tokens_upstream")).toEqual([
          { request_id: "a", status: 200n, tokens_upstream: 1n },
          { request_id: "a.1", status: 0n, tokens_upstream: 1n },
          { request_id: "a.2", status: 0n, tokens_upstream: 1n },
        ]);
      });
    });

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

describe.skipIf(POSTGRES_URL === undefined)("lines on several machines", () => {
  test("reserves and lines that come at once never hold more than there is", async () => {
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
    // Nine micro-credits were reserved: the first four lines get two, the fifth what is left.
    const holds = (await database.rows("micro_credits_held")).map((one) => Object.values(one)[0]).toSorted();
    expect(holds).toEqual([0n, 0n, 0n, 0n, 0n, 0n, 0n, 1n, 2n, 2n, 2n, 2n]);
    for (const line of lines)
      await ledger.settle(line.request_id === "line_0" ? line : { ...line, ...FAILED });
    for (let i = 0; i < 30; i++) await ledger.lines.release(`batch_${i}`, STARTED_AT);
    expect(await database.account()).toEqual({
      // It cost seven: two were held for it, and one more was nobody's.
      micro_credits: 97n,
      micro_credits_held: 0n,
      pico_usd_held: 0n,
      reserved: null,
    });
  });
});
