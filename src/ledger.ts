/**
 * One row a request: begun before its first call to a provider, settled before its answer leaves. src/usage.ts reads it back.
 * What a row says of money is exact: whole tokens times whole pico-USD.
 */
import { type Charge, type Estimate, openBalances, type Terms } from "./balances";
import type { Store } from "./db/open";
import type { TokensSource } from "./domain";
import { sumUsage, type UsageFilter, type UsageGroup, type UsageLine } from "./usage";

export interface LedgerRow {
  readonly request_id: string;
  readonly started_at: number;
  readonly workspace: string;
  readonly key_id: string | null;
  /** The id that was asked for; empty where the body did not get that far. */
  readonly model: string;
  readonly provider: string | null;
  readonly inputs: number;
  /** Inputs that no provider was asked for. */
  readonly cache_hits: number;
  /** What the answer says. */
  readonly tokens: number;
  /** What providers counted for it, failed and repeated calls included. */
  readonly tokens_upstream: number;
  /** What it is charged for. */
  readonly tokens_billed: number;
  readonly tokens_source: TokensSource | null;
  /** UNDER_WAY until it is settled. */
  readonly status: number;
  /** The error's code, where there was one; INTERRUPTED where a crash ended it. */
  readonly error: string | null;
  readonly latency_ms: number;
  readonly cost_pico_usd: bigint;
  /** What it costs in micro-credits; once it is settled, what was taken. */
  readonly micro_credits: bigint;
  readonly user: string | null;
  /** JSON. */
  readonly metadata: string | null;
}

/** What a row holds of its workspace's credits and caps until it is settled. */
export interface Holding {
  readonly estimate: Estimate;
  readonly terms: Terms;
}

/** Whose rows are the gateway's own calls (src/spaces): counted upstream, but no client's requests. Nobody's key belongs to it. */
export const OWN_WORKSPACE = "embedgate";

export const UNDER_WAY = 0;
export const INTERRUPTED = "interrupted";

export interface Ledger {
  /**
   * Commits that calls to providers are about to be made, so that a crash cannot lose them, and what they may cost is held.
   * @param row its tokens_upstream the most that they can come to
   * @returns false where nothing was done: it would fit once other requests of the workspace have settled
   * @throws GatewayError database_unavailable | insufficient_credit | cap_exceeded
   */
  begin(row: LedgerRow, holding: Holding): Promise<boolean>;
  /**
   * Resolves once the row is committed; it replaces the one that was begun, and what it costs replaces what was held.
   * @throws GatewayError database_unavailable
   */
  settle(row: LedgerRow): Promise<Charge>;
  /** Takes a row that could not be committed now; it is, with the next one or at the end. @returns whether it was taken */
  owe(row: LedgerRow): boolean;
  /** Commits what is owed. @throws GatewayError database_unavailable */
  close(): Promise<void>;
  /**
   * Marks the rows that a crash left under way. Should another gateway on the same database still be at work on one, its settling
   * puts that right.
   * @returns how many there were
   */
  settleInterrupted(): Promise<number>;
  /** @param by one or several: a line for each that goes together */
  usage(since: number, by: UsageGroup | readonly UsageGroup[], filter?: UsageFilter): readonly UsageLine[];
}

const COLUMNS = [
  "request_id",
  "started_at",
  "workspace",
  "key_id",
  "model",
  "provider",
  "inputs",
  "cache_hits",
  "tokens",
  "tokens_upstream",
  "tokens_billed",
  "tokens_source",
  "status",
  "error",
  "latency_ms",
  "cost_pico_usd",
  "micro_credits",
  "user",
  "metadata",
] as const satisfies readonly (keyof LedgerRow)[];

/** Some 20 MB: by then a database has been gone for so long that requests are refused before they cost anything. */
const OWED_ROWS_MAX = 50_000;

/** Columns that `begin` and `settle` fill in themselves. */
const OWN_COLUMNS = [
  "micro_credits_held",
  "pico_usd_held",
  "micro_credits_taken",
  "micro_credits_short",
] as const;

export function openLedger(store: Store): Ledger {
  const columns = [...COLUMNS, ...OWN_COLUMNS];
  // What a row was begun with and its indexes are sorted by stays as it is: so they need not be written again.
  const changing = columns.filter((column) => !["request_id", "started_at", "workspace"].includes(column));
  const put = store.database.query<unknown, [Record<string, string | number | bigint | null>]>(
    `INSERT INTO ledger (${columns.join(", ")}) VALUES (${columns.map((column) => `$${column}`).join(", ")})
     ON CONFLICT (request_id) DO UPDATE SET ${changing.map((column) => `${column} = excluded.${column}`).join(", ")}`,
  );
  const balances = openBalances(store);
  const interrupt = store.database.query(
    `UPDATE ledger SET error = '${INTERRUPTED}', tokens_source = 'estimated' WHERE status = ${UNDER_WAY} AND error IS NULL`,
  );
  let owed: readonly LedgerRow[] = [];

  function putSettled(row: LedgerRow): Charge {
    const due = { microCredits: row.micro_credits, picoUsd: row.cost_pico_usd };
    const charge = balances.charge(row.workspace, row.request_id, due, row.started_at);
    put.run({
      ...row,
      micro_credits: charge.microCredits,
      micro_credits_held: 0n,
      pico_usd_held: 0n,
      micro_credits_taken: charge.taken,
      micro_credits_short: charge.short,
    });
    return charge;
  }

  /** One at a time: what is owed is paid once. */
  let paying: Promise<void> | undefined;

  async function pay(): Promise<void> {
    const debts = owed;
    await store.write(() => {
      for (const row of debts) putSettled(row);
    });
    owed = owed.filter((row) => !debts.includes(row));
  }

  /** Does the work behind what is owed. */
  async function write<T>(work: () => T): Promise<T> {
    while (owed.length > 0) {
      paying ??= pay().finally(() => {
        paying = undefined;
      });
      await paying;
    }
    return store.write(work);
  }

  return {
    begin: (row, { estimate, terms }) =>
      write(() => {
        const held = balances.hold(row.workspace, row.request_id, estimate, terms, row.started_at);
        if (held === undefined) return false;
        put.run({
          ...row,
          micro_credits_held: held.microCredits,
          pico_usd_held: held.picoUsd,
          micro_credits_taken: 0n,
          micro_credits_short: 0n,
        });
        return true;
      }),
    settle: (row) => write(() => putSettled(row)),
    owe(row) {
      if (owed.length >= OWED_ROWS_MAX) return false;
      owed = [...owed, row];
      return true;
    },
    async close() {
      if (owed.length > 0) await write(() => undefined);
    },
    settleInterrupted: () =>
      store.write(() => {
        balances.releaseUnderWay();
        return Number(interrupt.run().changes);
      }),
    usage: (since, by, filter) =>
      sumUsage(store, {
        since,
        by: typeof by === "string" ? [by] : by,
        filter,
        ownWorkspace: OWN_WORKSPACE,
      }),
  };
}
