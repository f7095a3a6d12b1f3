/** Rows of the ledger and their holds, as requests make them; files and batches. */
import type { Holding } from "../../src/books/balances";
import type { BatchRecord } from "../../src/books/batch-records";
import type { LedgerRow } from "../../src/books/ledger-row";

export const NOON = Date.UTC(2026, 10, 28, 12);
const FEMTO = 1_000_000_000n;

let made = 0;

/** @param microCredits the cost; a micro-credit is a micro-USD */
export function rowOf(microCredits: number | bigint, own: Partial<LedgerRow> = {}): LedgerRow {
  made += 1;
  const cost = BigInt(microCredits);
  return {
    request_id: `req_${NOON.toString(16).padStart(12, "0")}${made.toString(16).padStart(20, "0")}`,
    started_at: NOON,
    workspace: "team",
    key_id: "key_1",
    model: "model",
    provider: "fake",
    inputs: 1,
    cache_hits: 0,
    tokens: Number(cost),
    tokens_upstream: Number(cost),
    tokens_abandoned: 0,
    tokens_billed: Number(cost),
    tokens_source: "provider",
    status: 200,
    error: null,
    latency_ms: 5,
    cost_pico_usd: cost * 1_000_000n,
    cost_femto_credits: cost * FEMTO,
    upstream_pico_usd: cost * 1_000_000n,
    user: null,
    metadata: null,
    ...own,
  };
}

export const underWay = (row: LedgerRow): LedgerRow => ({
  ...row,
  status: 0,
  cost_pico_usd: 0n,
  cost_femto_credits: 0n,
});

const amount = (microCredits: number) => ({
  femtoCredits: BigInt(microCredits) * FEMTO,
  picoUsd: BigInt(microCredits) * 1_000_000n,
});

export interface Held {
  readonly least: number;
  readonly most: number;
  readonly starting?: bigint | null;
  readonly day?: bigint;
  readonly month?: bigint;
}

export const holdingOf = ({ least, most, starting = null, day, month }: Held): Holding => ({
  estimate: { least: amount(least), most: amount(most) },
  terms: { startingMicroCredits: starting, caps: { day, month } },
});

/** More bytes than an int32 can count. */
export const fileOf = (id: string, expiresAt: number | null = null) =>
  ({
    id,
    workspace: "team",
    filename: "a\u00e9.jsonl",
    purpose: "batch",
    bytes: 3_000_000_000,
    created_at: NOON,
    expires_at: expiresAt,
  }) as const;

export function batchOf(id: string, more: Partial<BatchRecord> = {}): BatchRecord {
  return {
    id,
    workspace: "team",
    key_id: null,
    input_file_id: "file-1",
    metadata: '{"a":"b"}',
    status: "validating",
    errors: null,
    model: null,
    created_at: NOON,
    expires_at: NOON + 86_400_000,
    in_progress_at: null,
    finalizing_at: null,
    completed_at: null,
    failed_at: null,
    expired_at: null,
    cancelling_at: null,
    cancelled_at: null,
    lines: 1,
    lines_completed: 0,
    lines_failed: 0,
    tokens: 0,
    output_file_id: null,
    error_file_id: null,
    output_expires_after: null,
    idempotency_key: null,
    request_hash: null,
    ...more,
  };
}
