/**
 * Reads single requests from the ledger: one by its id, or the latest that match a filter. Refused requests share one row with equal
 * refusals of the same minute (src/books/refusals.ts). A new filter is a line of CONDITIONS.
 */
import type { Store } from "../db/open";
import { timeOf } from "../domain/request-id";

/** SQLite returns integers as bigints. */
export interface RecordedRequest {
  readonly request_id: string;
  readonly started_at: bigint;
  readonly workspace: string;
  readonly key_id: string | null;
  readonly model: string;
  readonly provider: string | null;
  readonly inputs: bigint;
  readonly cache_hits: bigint;
  readonly tokens: bigint;
  readonly tokens_upstream: bigint;
  /** The part of `tokens_upstream` that estimates calls that were sent and then abandoned. */
  readonly tokens_abandoned: bigint;
  readonly tokens_billed: bigint;
  readonly tokens_source: string | null;
  /** 0: in flight, or interrupted by a crash. */
  readonly status: bigint;
  /** The error's code. */
  readonly error: string | null;
  readonly kind: string | null;
  readonly upstream_status: bigint | null;
  readonly latency_ms: bigint;
  readonly cost_pico_usd: bigint;
  readonly upstream_pico_usd: bigint;
  readonly micro_credits: bigint;
  readonly user: string | null;
  readonly metadata: string | null;
  /** How many equal refusals of the minute share this row; null: the row is one request that was not refused early. */
  readonly refusals: bigint | null;
  /** The part of `tokens` for inputs that no provider was asked for, and what the provider would have been owed for them. */
  readonly tokens_cached: bigint;
  readonly saved_pico_usd: bigint;
  /** What its hold did not cover. */
  readonly micro_credits_short: bigint;
  /** src/books/shares.ts reads it. */
  readonly by_provider: string | null;
  readonly calls_made: bigint | null;
  /** src/books/calls.ts reads it. */
  readonly calls: string | null;
}

export const REQUEST_COLUMNS = `request_id, started_at, workspace, key_id, model, provider, inputs, cache_hits, tokens, tokens_upstream, tokens_abandoned,
  tokens_billed, tokens_source, status, error, kind, upstream_status, latency_ms, cost_pico_usd, upstream_pico_usd, micro_credits, user, metadata, refusals,
  tokens_cached, saved_pico_usd, micro_credits_short, by_provider, calls_made, calls`;

/** From the first to the last status, inclusive. */
export interface Statuses {
  readonly from: number;
  readonly to: number;
}

export interface RequestFilter {
  /** Milliseconds since 1970. */
  readonly since: number;
  readonly statuses?: Statuses | undefined;
  readonly workspace?: string | undefined;
  readonly model?: string | undefined;
  readonly provider?: string | undefined;
  readonly code?: string | undefined;
}

export interface Requests {
  /** @param most at most this many, the latest first */
  list(filter: RequestFilter, most: number): Promise<readonly RecordedRequest[]>;
  show(id: string): Promise<RecordedRequest | undefined>;
  /** The refusals of the minute in which an id was made: a refused request may be among them. */
  refusedWith(id: string): Promise<readonly RecordedRequest[]>;
}

export const MINUTE_MS = 60_000;

export function openRequests({ database, read }: Pick<Store, "database" | "read">): Requests {
  const byId = database.query<RecordedRequest, [string]>(
    `SELECT ${REQUEST_COLUMNS} FROM ledger WHERE request_id = ?1`,
  );
  const refusals = database.query<RecordedRequest, [number]>(
    `SELECT ${REQUEST_COLUMNS} FROM ledger WHERE refusals IS NOT NULL AND started_at >= ?1 AND started_at < ?1 + ${MINUTE_MS} ORDER BY started_at`,
  );
  return {
    async list({ since, statuses, workspace, model, provider, code }, most) {
      const conditions = ["started_at >= ?"];
      const values: (string | number)[] = [since];
      const only = (condition: string, ...wanted: readonly (string | number | undefined)[]) => {
        const given = wanted.filter((value) => value !== undefined);
        if (given.length === 0) return;
        conditions.push(condition);
        values.push(...given);
      };
      only("status BETWEEN ? AND ?", statuses?.from, statuses?.to);
      only("workspace = ?", workspace);
      only("model = ?", model);
      // Several providers that answered are stored as one text with commas.
      only("instr(', ' || provider || ', ', ', ' || ? || ', ') > 0", provider);
      only("coalesce(error, '') = ?", code);
      const query = database.query<RecordedRequest, (string | number)[]>(
        `SELECT ${REQUEST_COLUMNS} FROM ledger WHERE ${conditions.join(" AND ")} ORDER BY started_at DESC, request_id DESC LIMIT ?`,
      );
      return read(() => query.all(...values, most));
    },
    show: async (id) => read(() => byId.get(id) ?? undefined),
    async refusedWith(id) {
      const at = timeOf(id);
      return at === undefined ? [] : read(() => refusals.all(at - (at % MINUTE_MS)));
    },
  };
}
