/**
 * A line in the log for each answered request, where the routing file asks for them (`log.requests`). Those that failed have one anyway
 * (src/door/failed.ts). It says what the ledger's row says, and never a text.
 */
import type { Ledger } from "../books/ledger";
import type { LedgerRow } from "../books/ledger-row";
import { usdOf } from "../books/money";
import type { Outside } from "../domain/outside";

/** A caller's own text: no more of it is told. */
const TEXT_MAX = 200;

export function telling(ledger: Ledger, isAsked: () => boolean, { log }: Pick<Outside, "log">): Ledger {
  return {
    ...ledger,
    async settle(row, until) {
      const charge = await ledger.settle(row, until);
      if (row.error === null && isAsked()) log("info", "request answered", about(row));
      return charge;
    },
  };
}

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
