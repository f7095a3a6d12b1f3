/**
 * Logs a line for each answered request if the routing file asks for it (`log.requests`). Failed requests always have one
 * (src/door/failed.ts). The line contains values of the ledger's row, and never a text. A new value is a member of `about`.
 */
import type { LedgerRow } from "../books/ledger-row";
import { usdOf } from "../books/money";
import type { Outside } from "../domain/outside";

/** Text from the caller is cut to this length. */
const TEXT_MAX = 200;

export const telling =
  (isAsked: () => boolean, { log }: Pick<Outside, "log">) =>
  (row: LedgerRow): void => {
    if (row.error === null && isAsked()) log("info", "request answered", about(row));
  };

function about(row: LedgerRow): Readonly<Record<string, unknown>> {
  return {
    request: row.request_id,
    workspace: row.workspace,
    key: row.key_id,
    model: row.model.slice(0, TEXT_MAX),
    provider: row.provider,
    status: row.status,
    latency_ms: row.latency_ms,
    inputs: row.inputs,
    cache_hits: row.cache_hits,
    tokens: row.tokens,
    cost_usd: usdOf(row.cost_pico_usd),
    calls: row.calls_made,
  };
}
