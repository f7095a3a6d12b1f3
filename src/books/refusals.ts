/**
 * What the ledger keeps of a request that was refused before anything was held or sent for it: its outcome. Nothing in it is of the
 * caller's own making, and all that a key was refused alike within a minute is one row, so that refusals do not fill the disk.
 * A new column that a refusal keeps must be one of few values: else it goes into `put`'s sums, or stays out.
 */
import type { Database } from "bun:sqlite";
import type { LedgerRow } from "./ledger-row";

export interface Refusals {
  /** For inside a transaction of the caller's. @returns the row as it counts */
  add(row: LedgerRow, process: string | null): LedgerRow;
}

/** All of a minute, a key and an outcome: src/db/migrations.ts has an index of the same. */
const ALIKE = `refusals IS NOT NULL AND workspace = $workspace AND started_at / 60000 = $started_at / 60000
  AND coalesce(key_id, '') = coalesce($key_id, '') AND model = $model AND status = $status AND coalesce(error, '') = coalesce($error, '')`;

const COLUMNS = [
  "request_id",
  "started_at",
  "workspace",
  "key_id",
  "model",
  "status",
  "error",
  "kind",
  "inputs",
  "latency_ms",
  "process",
  "refusals",
] as const;

type Value = string | number | bigint | null;

/** @param configuredModel the routing file's id or pattern that a model came in by; undefined for a name that nobody configured */
export function openRefusals(
  database: Database,
  configuredModel: (model: string) => string | undefined,
): Refusals {
  const takeAlike = database.query<
    { readonly refusals: bigint; readonly inputs: bigint },
    [Record<string, Value>]
  >(`DELETE FROM ledger WHERE ${ALIKE} RETURNING refusals, inputs`);
  const put = database.query<unknown, [Record<string, Value>]>(
    `INSERT INTO ledger (${COLUMNS.join(", ")}, tokens, tokens_upstream, tokens_billed, cost_pico_usd)
     VALUES (${COLUMNS.map((column) => `$${column}`).join(", ")}, 0, 0, 0, 0)`,
  );
  return {
    add(row, process) {
      const { request_id, started_at, workspace, key_id, model: asked, status, error, kind = null } = row;
      const { inputs, latency_ms } = row;
      const model = asked === "" ? "" : (configuredModel(asked) ?? "");
      const alike = { started_at, workspace, key_id, model, status, error };
      const before = takeAlike.get(alike);
      put.run({
        ...alike,
        // The last one's: the row is where it would be had it come alone.
        request_id,
        kind,
        latency_ms,
        process,
        inputs: BigInt(inputs) + (before?.inputs ?? 0n),
        refusals: 1n + (before?.refusals ?? 0n),
      });
      return { ...row, model, provider: null };
    },
  };
}
