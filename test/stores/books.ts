/**
 * Books on each database for tests of sums: what happens to them is drawn by test/books/lives.ts. Another database is a function here and a line of
 * KINDS.
 */
import type { LedgerRow } from "../../src/books/ledger-row";
import { realOutside } from "../../src/network/real-outside";
import { wrongInBooks } from "../../src/stores/postgres/adding-up";
import { addressOf } from "../../src/stores/postgres/address";
import { createPool, type Pool } from "../../src/stores/postgres/pool";
import { sumBite } from "../../src/stores/postgres/sums";
import type { Stores } from "../../src/stores/stores";
import { clock, type Life } from "../books/lives";
import { POSTGRES_URL, type PostgresDatabase, postgresDatabase, sqliteDatabase } from "./databases";

export interface Books extends AsyncDisposable {
  readonly stores: Stores;
  readonly life: Life;
  /** Sums are brought up to date, as in the background. */
  sum(): Promise<void>;
  /** Changes what is stored. `@` is before the name of each table. */
  ask(text: string): Promise<unknown>;
  /** A row is changed as by a gateway of the previous release, which knows nothing of sums. */
  meddle(): Promise<unknown>;
  /** What a check of the database finds. */
  wrong(): Promise<readonly string[]>;
}

async function onSqlite(): Promise<Books> {
  const database = sqliteDatabase();
  const time = clock();
  const stores = await database.open({ now: time.now });
  const ledger = stores.openLedger(null, (model) => model);
  return {
    stores,
    life: {
      ...time,
      ledger,
      workspaces: stores.openWorkspaces(() => ({})),
      interrupt: () => ledger.settleInterrupted(),
      settleLate: (row) => ledger.settle(row),
    },
    sum: async () => undefined,
    ask: (text) => database.ask(text),
    meddle: async () => undefined,
    wrong: async () => [],
    [Symbol.asyncDispose]: () => database[Symbol.asyncDispose](),
  };
}

const INTERRUPT = `UPDATE @ledger SET error = 'interrupted', tokens_source = 'estimated' WHERE status = 0 AND error IS NULL`;

const MEDDLE = `UPDATE @ledger SET tokens = tokens + 7, provider = 'another', by_provider = NULL WHERE request_id =
  (SELECT request_id FROM @ledger WHERE status <> 0 ORDER BY md5(request_id || tokens) LIMIT 1)`;

export const poolOf = ({ config }: PostgresDatabase) => {
  const pool = createPool(addressOf(config), 1, realOutside);
  return { pool, [Symbol.dispose]: () => pool.close() };
};

export const HIT = {
  kind: "request",
  workspace: "beta",
  model: "small",
  end: "hit",
  tokens: 5,
  others: 0,
  latency: 3,
  code: "",
  metadata: null,
  estimated: false,
} as const;

export async function onPostgres(): Promise<
  Books & { readonly database: PostgresDatabase; readonly pool: Pool }
> {
  const database = postgresDatabase();
  const time = clock();
  const stores = await database.open({ now: time.now });
  const ledger = stores.openLedger(null, (model) => model);
  const { pool } = poolOf(database);
  return {
    stores,
    database,
    pool,
    life: {
      ...time,
      ledger,
      workspaces: stores.openWorkspaces(() => ({})),
      interrupt: () => database.ask(INTERRUPT),
      async settleLate(row: LedgerRow) {
        await database.ask("UPDATE @ledger SET error = NULL WHERE request_id = $1", [row.request_id]);
        await ledger.settle(row);
      },
    },
    sum: () => summed(database, pool),
    ask: (text) => database.ask(text),
    meddle: () => database.ask(MEDDLE),
    wrong: async () => (await wrongInBooks(pool, realOutside)).filter((what) => what.includes("sums")),
    async [Symbol.asyncDispose]() {
      pool.close();
      await database[Symbol.asyncDispose]();
    },
  };
}

/** Up to the last row. Transactions of other tests are waited for. */
export async function summed({ ask }: PostgresDatabase, pool: Pool): Promise<void> {
  for (;;) {
    while (await sumBite(pool));
    const [left] = await ask<{ rows: bigint }>(
      `SELECT (SELECT count(*) FROM @ledger WHERE started_at >= summed_to) + (SELECT count(*) FROM @ledger_late) AS rows FROM @sums`,
    );
    if (left?.rows === 0n) return;
    await Bun.sleep(5);
  }
}

/** `runs`: of a random test. */
export const KINDS = [
  { name: "SQLite", isThere: true, opened: onSqlite, runs: 10 },
  { name: "PostgreSQL", isThere: POSTGRES_URL !== undefined, opened: onPostgres, runs: 4 },
];
