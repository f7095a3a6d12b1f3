/**
 * The last step before the answer: one row a request, committed. And reading it back, summed.
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
  readonly tokens: number;
  readonly tokens_source: TokensSource | null;
  readonly status: number;
  /** The error's code, where there was one. */
  readonly error: string | null;
  readonly latency_ms: number;
  readonly cost_pico_usd: bigint;
  readonly user: string | null;
  /** JSON. */
  readonly metadata: string | null;
}

export const USAGE_GROUPS = ["model", "workspace", "key", "day"] as const;
export type UsageGroup = (typeof USAGE_GROUPS)[number];

/** One line of usage. Sums are bigints, since a busy gateway outgrows a double's 2⁵³. */
export interface UsageLine {
  readonly group: string;
  readonly requests: bigint;
  readonly failed: bigint;
  readonly inputs: bigint;
  readonly tokens: bigint;
  /** Requests whose count was estimated, as nobody reported one. */
  readonly estimated: bigint;
  readonly cost_pico_usd: bigint;
}

export interface Ledger {
  /** Resolves once the row is committed. @throws GatewayError database_unavailable */
  record(row: LedgerRow): Promise<void>;
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
  "tokens",
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

export function openLedger(store: Store): Ledger {
  const insert = store.database.query<unknown, [Record<string, string | number | bigint | null>]>(
    `INSERT INTO ledger (${COLUMNS.join(", ")}) VALUES (${COLUMNS.map((column) => `$${column}`).join(", ")})`,
  );
  return {
    async record(row) {
      await store.write(() => insert.run({ ...row }));
    },
    usage(since, by) {
      return store.database
        .query<UsageLine, { since: number }>(
          `SELECT ${GROUP_EXPRESSIONS[by]} AS "group", count(*) AS requests, coalesce(sum(status >= 400), 0) AS failed,
             sum(inputs) AS inputs, sum(tokens) AS tokens, coalesce(sum(tokens_source = 'estimated'), 0) AS estimated,
             sum(cost_pico_usd) AS cost_pico_usd
           FROM ledger WHERE started_at >= $since GROUP BY 1 ORDER BY 1`,
        )
        .all({ since });
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
