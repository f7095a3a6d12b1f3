/**
 * One row of the ledger: a request, its tokens, and its cost.
 * A new column is a member here, a migration (src/db/migrations.ts), and is filled in by src/request/account.ts.
 */
import type { TokensSource } from "../domain/request";

export interface LedgerRow {
  readonly request_id: string;
  readonly started_at: number;
  readonly workspace: string;
  readonly key_id: string | null;
  /** The model id in the request; empty if the body was not read that far. */
  readonly model: string;
  readonly provider: string | null;
  readonly inputs: number;
  /** Inputs answered without a call to a provider. */
  readonly cache_hits: number;
  /** The tokens in the answer's usage. */
  readonly tokens: number;
  /** The tokens counted by providers for this request, including failed and repeated calls. */
  readonly tokens_upstream: number;
  /** The part of `tokens_upstream` that estimates calls that were sent and then timed out or were abandoned. */
  readonly tokens_abandoned: number;
  /** The part of `tokens` for inputs that no provider was asked for. Left out: none. */
  readonly tokens_cached?: number;
  /** The tokens that are charged for. */
  readonly tokens_billed: number;
  readonly tokens_source: TokensSource | null;
  /** UNDER_WAY until the row is settled. */
  readonly status: number;
  /** The error's code, if there was an error; INTERRUPTED if a crash ended the request. */
  readonly error: string | null;
  /** The kind of error, which is more specific than the code. Left out for an answered request. */
  readonly kind?: string | null;
  /** The provider's status, if the request failed there. */
  readonly upstream_status?: number | null;
  readonly latency_ms: number;
  readonly cost_pico_usd: bigint;
  /** The exact cost in 10⁻¹⁵ credits. The charge in whole micro-credits is decided when the row is written. */
  readonly cost_femto_credits: bigint;
  /** What providers are owed for `tokens_upstream`; left out: nothing. */
  readonly upstream_pico_usd?: bigint;
  /** What the provider would have been owed for `tokens_cached`; left out: nothing. */
  readonly saved_pico_usd?: bigint;
  /** How many calls to providers were made. Left out: unknown. */
  readonly calls_made?: number | null;
  /** The calls themselves (src/books/calls.ts); null if there was one call and it succeeded. */
  readonly calls?: string | null;
  /** JSON, if other providers than `provider` counted some of `tokens_upstream`: [[name, tokens, pico-USD], ...]. */
  readonly by_provider?: string | null;
  readonly user: string | null;
  /** JSON. */
  readonly metadata: string | null;
  /** The batch of which the request is a line; left out: none. */
  readonly batch?: string | null;
}

/** A failed row without the caller's `user` and `metadata` if these are large, as the request costs nothing. */
export function withoutExcess(row: LedgerRow, bytesMax: number): LedgerRow {
  const bytes = Buffer.byteLength(row.user ?? "") + Buffer.byteLength(row.metadata ?? "");
  return bytes > bytesMax ? { ...row, user: null, metadata: null } : row;
}
