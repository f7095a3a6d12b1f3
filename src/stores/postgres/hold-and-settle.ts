/**
 * Begins some requests of a workspace and settles others in one statement: what holding.ts and settling.ts do one after the other. Under load
 * nearly every commit has both, and each statement, and each transaction of several, takes the server and this process a fixed time.
 */
import type { Charge } from "../../books/balances";
import type { LedgerRow } from "../../books/ledger-row";
import type { Connection } from "./connection";
import { ALL_FIT, type Beginning, type Held, holdingOf, insertFrom } from "./holding";
import { CHARGE, type ChargeRow, chargeOf, rowsToSettle, settleBy } from "./settling";

/** $1 to $9 are those of holding.ts, $10 the rows to be settled. Whether the holds fit is decided before anything is settled. */
const HOLD_AND_SETTLE = settleBy(
  {
    account: `SELECT micro_credits AS credits, femto_credits_prepaid AS prepaid, (${ALL_FIT}) AS is_held,
      micro_credits_held + CASE WHEN ${ALL_FIT} THEN $6::bigint ELSE 0 END AS all_held
    FROM @workspaces WHERE name = $5`,
    charge: CHARGE,
    pay: `UPDATE @workspaces w SET micro_credits = w.micro_credits - t.charge,
      micro_credits_held = w.micro_credits_held - t.held + CASE WHEN (SELECT is_held FROM account) THEN $6::bigint ELSE 0 END,
      pico_usd_held = w.pico_usd_held - t.held_pico_usd + CASE WHEN (SELECT is_held FROM account) THEN $7::bigint ELSE 0 END`,
    whose: "w.name = $5",
    balance: "charged.credits",
  },
  { rows: "$10", process: "$2" },
  { statements: `begun AS (${insertFrom(", account WHERE is_held")})`, says: "every.is_held" },
);

export interface HeldAndSettled {
  /** undefined where not all of them fit, and nothing was held. */
  readonly held: readonly Held[] | undefined;
  /** By the request's id; rows that were no longer in flight are left out. */
  readonly charges: ReadonlyMap<string, Charge>;
}

type Row = { readonly is_held: boolean } & (ChargeRow | { readonly request_id: null });

/**
 * @param group with the same `termsKey`, without a reserve; they hold something
 * @param rows of the same workspace
 */
export async function holdAndSettle(
  { query }: Connection,
  group: readonly [Beginning, ...Beginning[]],
  rows: readonly LedgerRow[],
  process: string,
  at: number | null,
): Promise<HeldAndSettled> {
  const { holds, parameters } = holdingOf(group, process, at);
  const said = await query<Row>(HOLD_AND_SETTLE, [...parameters, rowsToSettle(rows)]);
  return {
    held: said[0]?.is_held === true ? holds : undefined,
    charges: new Map(
      said.flatMap((one) => (one.request_id === null ? [] : [[one.request_id, chargeOf(one)]])),
    ),
  };
}
