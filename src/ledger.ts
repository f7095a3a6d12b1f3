/**
 * One row a request: begun before its first call to a provider, settled before its answer leaves. And reading it back, summed.
 * What a row says of money is exact: whole tokens times whole pico-USD.
 */
import type { Store } from "./db/open";
import type { TokensSource } from "./domain";

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
  readonly user: string | null;
  /** JSON. */
  readonly metadata: string | null;
}

/** Whose rows are the gateway's own calls (src/spaces): counted upstream, but no client's requests. Nobody's key belongs to it. */
export const OWN_WORKSPACE = "embedgate";

export const UNDER_WAY = 0;
export const INTERRUPTED = "interrupted";

export const USAGE_GROUPS = ["model", "workspace", "key", "day"] as const;
export type UsageGroup = (typeof USAGE_GROUPS)[number];

/** One line of usage. Sums are bigints, since a busy gateway outgrows a double's 2⁵³. */
export interface UsageLine {
  readonly group: string;
  readonly requests: bigint;
  readonly failed: bigint;
  readonly inputs: bigint;
  readonly cache_hits: bigint;
  readonly tokens: bigint;
  readonly tokens_upstream: bigint;
  readonly tokens_billed: bigint;
  /** Requests whose count was estimated, as nobody reported one. */
  readonly estimated: bigint;
  readonly cost_pico_usd: bigint;
}

export interface Ledger {
  /**
   * Commits that calls to providers are about to be made, so that a crash cannot lose them.
   * @param row its tokens_upstream the most that they can come to
   * @throws GatewayError database_unavailable
   */
  begin(row: LedgerRow): Promise<void>;
  /** Resolves once the row is committed; it replaces the one that was begun. @throws GatewayError database_unavailable */
  settle(row: LedgerRow): Promise<void>;
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
  usage(since: number, by: UsageGroup): readonly UsageLine[];
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
  "user",
  "metadata",
] as const satisfies readonly (keyof LedgerRow)[];

/** Days are UTC, so that a month's sum is the same wherever it is asked for. */
const GROUP_EXPRESSIONS: Record<UsageGroup, string> = {
  model: "model",
  workspace: "workspace",
  key: "coalesce(key_id, '')",
  day: "strftime('%Y-%m-%d', started_at / 1000, 'unixepoch')",
};

/** Rows of clients' requests; the gateway's own calls count by their tokens only. */
const ASKED = `(workspace <> '${OWN_WORKSPACE}')`;

/** Some 20 MB: by then a database has been gone for so long that requests are refused before they cost anything. */
const OWED_ROWS_MAX = 50_000;

export function openLedger(store: Store): Ledger {
  const put = store.database.query<unknown, [Record<string, string | number | bigint | null>]>(
    `INSERT OR REPLACE INTO ledger (${COLUMNS.join(", ")}) VALUES (${COLUMNS.map((column) => `$${column}`).join(", ")})`,
  );
  const interrupt = store.database.query(
    `UPDATE ledger SET error = '${INTERRUPTED}', tokens_source = 'estimated' WHERE status = ${UNDER_WAY} AND error IS NULL`,
  );
  let owed: readonly LedgerRow[] = [];
  const write = async (rows: readonly LedgerRow[]) => {
    const debts = owed;
    await store.write(() => {
      for (const row of [...debts, ...rows]) put.run({ ...row });
    });
    owed = owed.filter((row) => !debts.includes(row));
  };
  return {
    begin: (row) => write([row]),
    settle: (row) => write([row]),
    owe(row) {
      if (owed.length >= OWED_ROWS_MAX) return false;
      owed = [...owed, row];
      return true;
    },
    async close() {
      if (owed.length > 0) await write([]);
    },
    settleInterrupted: () => store.write(() => Number(interrupt.run().changes)),
    usage(since, by) {
      const lines = store.database.query<UsageLine, { since: number }>(
        `SELECT ${GROUP_EXPRESSIONS[by]} AS "group", sum(${ASKED}) AS requests, sum(${ASKED} AND status <> 200) AS failed,
           sum(iif(${ASKED}, inputs, 0)) AS inputs, sum(cache_hits) AS cache_hits, sum(tokens) AS tokens, sum(tokens_upstream) AS tokens_upstream,
           sum(tokens_billed) AS tokens_billed, coalesce(sum(${ASKED} AND tokens_source = 'estimated'), 0) AS estimated,
           sum(cost_pico_usd) AS cost_pico_usd
         FROM ledger WHERE started_at >= $since GROUP BY 1 ORDER BY 1`,
      );
      return store.read(() => lines.all({ since }));
    },
  };
}

/**
 * A price of the catalogue or the routing file as whole pico-USD a token: 0.02 USD per million tokens is 20,000.
 * Its digits are read as they are written, because 0.07 × 10⁶ is not 70,000 in floating point.
 */
export function picoUsdPerToken(usdPerMillionTokens: number): bigint {
  const [digits = "0", exponent = "0"] = String(usdPerMillionTokens).split("e");
  const [whole = "0", fraction = ""] = digits.split(".");
  const shift = 6 + Number(exponent) - fraction.length;
  const scaled = BigInt(whole + fraction);
  if (shift >= 0) return scaled * 10n ** BigInt(shift);
  // Finer than a pico-USD a token: rounded up, so that what costs something never costs nothing.
  const divisor = 10n ** BigInt(-shift);
  return (scaled + divisor - 1n) / divisor;
}
