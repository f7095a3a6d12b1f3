/**
 * The step before a request's first call: begins its row and holds what the request may cost, if necessary after other requests have settled.
 * src/books/balances.ts decides how much is held, and when it does not fit.
 */

import type { Holding, Terms } from "../books/balances";
import { type Ledger, UNDER_WAY } from "../books/ledger";
import type { LedgerRow } from "../books/ledger-row";
import type { Settlements } from "../books/settlements";
import type { Run } from "../domain/request";

/** @throws GatewayError insufficient_credit | cap_exceeded | database_unavailable; the signal's reason */
export async function hold(
  row: LedgerRow,
  holding: Holding,
  ledger: Ledger,
  settlements: Settlements,
  { signal, endsAt }: Pick<Run, "signal" | "endsAt">,
): Promise<void> {
  for (;;) {
    const seen = settlements.count(row.workspace);
    if (await ledger.begin(row, holding, endsAt)) return;
    await settlements.next(row.workspace, seen, signal);
  }
}

/** For an answer that needed no hold, since no provider was called. */
export function holdExactly(
  row: LedgerRow,
  terms: Terms,
  ledger: Ledger,
  settlements: Settlements,
  run: Pick<Run, "signal" | "endsAt" | "batch">,
): Promise<void> {
  const amount = { femtoCredits: row.cost_femto_credits, picoUsd: row.cost_pico_usd };
  const estimate = { least: amount, most: amount };
  return hold(
    { ...row, status: UNDER_WAY },
    { estimate, terms, reserve: run.batch },
    ledger,
    settlements,
    run,
  );
}

/** Functions that are called with rows of the ledger. */
export interface Observers {
  /** With each row that is written, in this order. */
  readonly settled: readonly ((row: LedgerRow) => void)[];
  /** With each row that will be written later: metrics count it too, so that they have the same sums as the ledger. */
  readonly owed: (row: LedgerRow) => void;
}

/** A ledger that reports its rows, and notifies waiting requests of each settled one, also if it could not be written. */
export function observed(ledger: Ledger, { settled, owed }: Observers, settlements: Settlements): Ledger {
  return {
    ...ledger,
    async settle(row, until) {
      try {
        const charge = await ledger.settle(row, until);
        for (const told of settled) told(row);
        return charge;
      } finally {
        settlements.happened(row.workspace);
      }
    },
    owe(row) {
      owed(row);
      return ledger.owe(row);
    },
  };
}
