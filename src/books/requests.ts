/**
 * Single requests, read from the ledger: one by its id, or the latest of some kind. Of refused ones the ledger has a row for all that were
 * refused alike within a minute (src/books/refusals.ts). A new filter is a line of CONDITIONS.
 */
import type { Store } from "../db/open";
import { timeOf } from "../domain/request-id";

/** Whole numbers are bigints, as SQLite has them. */
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
  /** As part of these: of calls that were sent and not waited for, an estimate. */
  readonly tokens_abandoned: bigint;
  readonly tokens_billed: bigint;
  readonly tokens_source: string | null;
  /** 0: under way, or interrupted by a crash. */
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
  /** How many were refused alike within the minute; null: the row is of one request, which got further. */
  readonly refusals: bigint | null;
  /** Of `tokens`: those of inputs that no provider was asked for; and what the provider would have been owed for them. */
  readonly tokens_cached: bigint;
  readonly saved_pico_usd: bigint;
  /** What its hold did not cover. */
  readonly micro_credits_short: bigint;
  /** As src/books/shares.ts reads it. */
  readonly by_provider: string | null;
  readonly calls_made: bigint | null;
  /** As src/books/calls.ts reads it. */
  readonly calls: string | null;
}

export const REQUEST_COLUMNS = `request_id, started_at, workspace, key_id, model, provider, inputs, cache_hits, tokens, tokens_upstream, tokens_abandoned,
  tokens_billed, tokens_source, status, error, kind, upstream_status, latency_ms, cost_pico_usd, upstream_pico_usd, micro_credits, user, metadata, refusals,
  tokens_cached, saved_pico_usd, micro_credits_short, by_provider, calls_made, calls`;

/** From the first to the last, both included. */
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
  /** @param most so many of the latest, the latest first */
  list(filter: RequestFilter, most: number): Promise<readonly RecordedRequest[]>;
  show(id: string): Promise<RecordedRequest | undefined>;
  /** What was refused in the minute that an id was made in: a refused request may be one of theirs. */
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
      // Several that answered stand there with commas.
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
