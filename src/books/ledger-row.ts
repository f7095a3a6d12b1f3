/**
 * One row of the ledger, as it is written and read: a request, what it took, and what it costs.
 * A new column is a member here, a migration (src/db/migrations.ts), and filled in by account.ts.
 */
import type { TokensSource } from "../domain/request";

export interface LedgerRow {
  readonly request_id: string;
  readonly started_at: number;
  readonly workspace: string;
  readonly key_id: string | null;
  /** The id that was asked for; empty where the body did not get that far. */
  readonly model: string;
  readonly provider: string | null;
  readonly inputs: number;
  /** Inputs answered without a call to a provider. */
  readonly cache_hits: number;
  /** What the answer says. */
  readonly tokens: number;
  /** What providers counted for it, failed and repeated calls included. */
  readonly tokens_upstream: number;
  /** As part of these: an estimate of calls that were sent and not answered in time, or not waited for. */
  readonly tokens_abandoned: number;
  /** As part of `tokens`: of inputs that no provider was asked for. Left out: none. */
  readonly tokens_cached?: number;
  /** What it is charged for. */
  readonly tokens_billed: number;
  readonly tokens_source: TokensSource | null;
  /** UNDER_WAY until it is settled. */
  readonly status: number;
  /** The error's code, where there was one; INTERRUPTED where a crash ended it. */
  readonly error: string | null;
  /** What the failure was, more nearly than its code says: an error's kind. Left out of an answer's row. */
  readonly kind?: string | null;
  /** What the provider answered, where it failed there. */
  readonly upstream_status?: number | null;
  readonly latency_ms: number;
  readonly cost_pico_usd: bigint;
  /** What it costs in 10⁻¹⁵ credits, exactly: what is charged for it in whole micro-credits is decided with the row. */
  readonly cost_femto_credits: bigint;
  /** What providers are owed for `tokens_upstream`; left out: nothing. */
  readonly upstream_pico_usd?: bigint;
  /** What the provider would have been owed for `tokens_cached`; left out: nothing. */
  readonly saved_pico_usd?: bigint;
  /** How many calls to providers were made for it. Left out: that is not known. */
  readonly calls_made?: number | null;
  /** What each of them was (src/books/calls.ts); null where it was one, and answered. */
  readonly calls?: string | null;
  /** JSON, where others than `provider` counted some of `tokens_upstream`: [[name, tokens, pico-USD], ...]. */
  readonly by_provider?: string | null;
  readonly user: string | null;
  /** JSON. */
  readonly metadata: string | null;
  /** The batch that it is a line of; left out: of none. */
  readonly batch?: string | null;
}
