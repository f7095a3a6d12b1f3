/** A ledger for the tests of batches' lines, on each database: a workspace, its lines, what is held and what stands in the rows. */
import { type Ledger, openLedger } from "../../src/books/ledger";
import type { LedgerRow } from "../../src/books/ledger-row";
import { openStore } from "../../src/db/open";
import { fakeOutside, STARTED_AT } from "../fake-outside";
import { POSTGRES_URL, postgresDatabase } from "../stores/databases";

export const TERMS = { startingMicroCredits: 100n, caps: { day: undefined, month: undefined } };
export const amount = (microCredits: bigint) => ({
  femtoCredits: microCredits * 1_000_000_000n,
  picoUsd: microCredits,
});
export const holding = (microCredits: bigint) => ({
  estimate: { least: amount(microCredits), most: amount(microCredits) },
  terms: TERMS,
  reserve: "batch_1",
});

export const row = (id: string, more: Partial<LedgerRow> = {}): LedgerRow => ({
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

export const FAILED = {
  status: 503,
  error: "x",
  tokens_billed: 0,
  cost_pico_usd: 0n,
  cost_femto_credits: 0n,
} as const;

export interface Opened extends AsyncDisposable {
  readonly ledger: Ledger;
  /** Another process's. */
  other(): Promise<Ledger>;
  /** The process of `ledger` has ended. */
  end(): Promise<void>;
  account(): Promise<unknown>;
  create(batch: string): Promise<unknown>;
  rows(columns: string): Promise<readonly object[]>;
}

export const ACCOUNT =
  "SELECT micro_credits, micro_credits_held, pico_usd_held, (SELECT micro_credits FROM @reserves) AS reserved FROM @workspaces";

export const createText = (batch: string) =>
  `INSERT INTO @batches (id, workspace, input_file_id, status, created_at, expires_at, lines)
   VALUES ('${batch}', 'w', 'file-1', 'in_progress', 1, 2, 1)`;

export async function onSqlite(): Promise<Opened> {
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

export async function onPostgres(): Promise<Opened> {
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

export const KINDS = [
  { name: "SQLite", isThere: true, opened: onSqlite },
  { name: "PostgreSQL", isThere: POSTGRES_URL !== undefined, opened: onPostgres },
];

export const reserve = (ledger: Ledger, microCredits: bigint) =>
  ledger.lines.reserve({
    batch: "batch_1",
    workspace: "w",
    most: amount(microCredits),
    terms: TERMS,
    at: STARTED_AT,
  });
