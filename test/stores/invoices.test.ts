/**
 * Part of the one suite for every database: an invoice from lines that are kept by day is the same as one summed from the ledger's rows, whatever
 * happened, also to rows of long ago. What is drawn at random is in test/books/lives.ts.
 */
import { describe, expect, test } from "bun:test";
import fc from "fast-check";
import type { LedgerRow } from "../../src/books/ledger-row";
import type { InvoiceGroup } from "../../src/books/statements";
import { openStore } from "../../src/db/open";
import { realOutside } from "../../src/network/real-outside";
import { addressOf } from "../../src/stores/postgres/address";
import { createPool } from "../../src/stores/postgres/pool";
import { sumBite } from "../../src/stores/postgres/sums";
import { sqliteStores } from "../../src/stores/sqlite";
import type { Stores } from "../../src/stores/stores";
import { clock, DAY_MS, HOLDING, lived, MONTHS, rowOf, START, step } from "../books/lives";
import { POSTGRES_URL, postgresDatabase } from "./databases";

interface Books extends AsyncDisposable {
  readonly stores: Stores;
  readonly now: () => number;
  readonly turn: (ms: number) => void;
  /** @param statement with `@` before a table */
  run(statement: string): Promise<unknown>;
  sum(): Promise<void>;
}

async function onSqlite(): Promise<Books> {
  const time = clock();
  const outside = { ...realOutside, log: () => undefined, now: time.now };
  const store = await openStore(":memory:", outside);
  const stores = sqliteStores(store, outside);
  return {
    ...time,
    stores,
    run: async (statement) => store.database.run(statement.replaceAll("@", "")),
    sum: async () => undefined,
    [Symbol.asyncDispose]: () => stores.close(),
  };
}

async function onPostgres(): Promise<Books> {
  const time = clock();
  const database = postgresDatabase();
  const stores = await database.open({ now: time.now });
  const pool = createPool(addressOf(database.config), 1, realOutside);
  return {
    ...time,
    stores,
    run: (statement) => database.ask(statement),
    async sum() {
      while (await sumBite(pool));
    },
    async [Symbol.asyncDispose]() {
      pool.close();
      await database[Symbol.asyncDispose]();
    },
  };
}

const KINDS = [
  { name: "SQLite", isThere: true, opened: onSqlite, runs: 20 },
  { name: "PostgreSQL", isThere: POSTGRES_URL !== undefined, opened: onPostgres, runs: 5 },
];

const GROUPS: readonly (readonly InvoiceGroup[])[] = [["day", "model"], ["day"], ["model"], []];

const invoices = ({ stores }: Books) => {
  const statements = stores.openStatements();
  return Promise.all(
    ["acme", "beta"].flatMap((workspace) =>
      MONTHS.flatMap((month) => GROUPS.map((by) => statements.invoice(workspace, month, by))),
    ),
  );
};

const INTERRUPT = `UPDATE @ledger SET error = 'interrupted', tokens_source = 'estimated' WHERE status = 0 AND error IS NULL`;
const FORGET = "DELETE FROM @invoice_days";

/** @throws where lines that are kept are not those of the rows */
async function judge(books: Books): Promise<void> {
  const kept = await invoices(books);
  await books.run(FORGET);
  expect(await invoices(books)).toEqual(kept);
}

const steps = fc.array(step, { minLength: 1, maxLength: 30 });
const answer = {
  kind: "request",
  workspace: "acme",
  model: "small",
  end: "answer",
  tokens: 1_000,
  others: 0,
  latency: 9,
  code: "",
  metadata: '{"team":"search","project":"a.b"}',
  estimated: false,
} as const;

for (const { name, isThere, opened, runs } of KINDS) {
  describe.skipIf(!isThere)(name, () => {
    async function withRows(books: Books, rows: readonly LedgerRow[]) {
      const ledger = books.stores.openLedger(null, (model) => model);
      await books.stores.openWorkspaces(() => ({})).create("acme", {}, 10n ** 12n);
      for (const row of rows) {
        await ledger.begin({ ...row, status: 0 }, HOLDING);
        await ledger.settle(row);
      }
      return ledger;
    }

    test("kept lines are those of the rows, whatever comes, and however they are trimmed", async () => {
      await fc.assert(
        fc.asyncProperty(steps, fc.infiniteStream(fc.nat(5)), async (all, draws) => {
          await using books = await opened();
          const ledger = books.stores.openLedger(null, (model) => model);
          await lived(all, {
            ...books,
            ledger,
            workspaces: books.stores.openWorkspaces(() => ({})),
            interrupt: () => ledger.settleInterrupted(),
            settleLate: (row) => ledger.settle(row),
            async after() {
              const draw = draws.next().value;
              if (draw === 0) await books.sum();
              if (draw === 1) await invoices(books);
              if (draw === 2) await judge(books);
            },
          });
          await judge(books);
          const before = await invoices(books);
          books.turn(9 * DAY_MS);
          const trimming = books.stores.openTrimming(() => ({
            requestsDays: 1,
            minutesDays: 1,
            hoursDays: 1,
          }));
          while (await trimming.bite()) expect(await invoices(books)).toEqual(before);
          await judge(books);
          expect(await invoices(books)).toEqual(before);
        }),
        { numRuns: runs, endOnFailure: true },
      );
    }, 120_000);

    test("a finished day is read from its line, and summed anew once one of its rows is settled late", async () => {
      await using books = await opened();
      const rows = [0, 1, 2].map((day) => rowOf({ ...answer }, `req_${day}`, START + day * DAY_MS));
      const ledger = await withRows(books, rows);
      const late = rowOf({ ...answer, model: "large" }, "req_late", START + 1);
      await ledger.begin({ ...late, status: 0 }, HOLDING);
      if (name === "SQLite") await ledger.settleInterrupted();
      else await books.run(INTERRUPT);
      await books.sum();
      const statements = books.stores.openStatements();
      const invoice = () => statements.invoice("acme", "2024-10", ["day", "model"]);
      const before = await invoice();
      await books.run("UPDATE @invoice_days SET tokens_billed = 7 WHERE model = 'small'");
      const tampered = (await invoice()).lines.map(({ tokens_billed }) => tokens_billed);
      // The last day is of the rows.
      expect(tampered.filter((tokens) => tokens === 7n)).toHaveLength(2);
      await books.run("UPDATE @invoice_days SET tokens_billed = 1000 WHERE tokens_billed = 7");
      if (name === "PostgreSQL")
        await books.run("UPDATE @ledger SET error = NULL WHERE request_id = 'req_late'");
      await ledger.settle(late);
      const after = await invoice();
      expect(after.lines.filter(({ day }) => day === before.lines[0]?.day)).toMatchObject([
        { model: "large", tokens_billed: 1_000n, price: 130_001n },
        { model: "small", tokens_billed: 1_000n, price: 20_000n },
      ]);
      await judge(books);
    });

    test("a month begins and ends at midnight UTC; a price that changed within a line is none", async () => {
      await using books = await opened();
      const begin = Date.UTC(2024, 10, 1);
      const end = Date.UTC(2024, 11, 1);
      const dear = rowOf(answer, "req_dear", begin + 5 * DAY_MS);
      await withRows(books, [
        rowOf(answer, "req_before", begin - 1),
        rowOf(answer, "req_first", begin),
        { ...dear, cost_pico_usd: dear.cost_pico_usd * 2n },
        rowOf(answer, "req_last", end - 1),
        rowOf(answer, "req_after", end),
        rowOf(answer, "req_later", end + 9 * DAY_MS),
      ]);
      await books.sum();
      const statements = books.stores.openStatements();
      for (let times = 0; times < 2; times++) {
        const { lines } = await statements.invoice("acme", "2024-11", ["model"]);
        expect(lines).toMatchObject([
          { requests: 3n, tokens_billed: 3_000n, cost_pico_usd: 80_000_000n, price: null },
        ]);
        const { lines: days } = await statements.invoice("acme", "2024-11", ["day"]);
        expect(days.map(({ day, price }) => [day, price])).toEqual([
          ["2024-11-01", 20_000n],
          ["2024-11-06", 40_000n],
          ["2024-11-30", 20_000n],
        ]);
      }
      await judge(books);
    });
  });
}
