/**
 * What the ledger keeps of a request that was refused before anything was held or sent: its outcome. It contains nothing that the caller chose,
 * and equal refusals of one key within a minute share one row, so that refusals do not fill the disk.
 * A new column of a refusal must have only a few possible values; otherwise sum it up in `put`, or leave it out.
 */
import type { Database } from "bun:sqlite";
import type { LedgerRow } from "./ledger-row";

export interface Refusals {
  /** Must be called inside a transaction. @returns the row as it is counted */
  add(row: LedgerRow, process: string | null): LedgerRow;
}

/** The row with the same minute, key and outcome: src/db/migrations.ts has a matching index. */
const ALIKE = `refusals IS NOT NULL AND workspace = $workspace AND started_at / 60000 = $started_at / 60000
  AND coalesce(key_id, '') = coalesce($key_id, '') AND model = $model AND status = $status AND coalesce(error, '') = coalesce($error, '')`;

/** What is kept of the request itself. */
export const REFUSED_COLUMNS = [
  "request_id",
  "workspace",
  "key_id",
  "model",
  "status",
  "error",
  "kind",
  "inputs",
  "latency_ms",
] as const;
const COLUMNS = [...REFUSED_COLUMNS, "started_at", "process", "refusals"];

type Value = string | number | bigint | null;

/** @param configuredModel returns the routing file's id or pattern that matches a model; undefined for an unknown name */
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
        // The id of the latest request: the row is where that request's own row would be.
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
