/**
 * The ledger for requests that are lines of a batch (src/batches/): the cost of the whole batch is held before any line begins, and a line that
 * a crash interrupted is charged once, however often it is run or settled again. Apart from that their rows are ordinary rows.
 */
import type { Store } from "../db/open";
import type { Balances, Charge, Holding, Terms } from "./balances";
import type { Amount } from "./fitting";
import type { LedgerRow } from "./ledger-row";
import type { Reserves } from "./reserves";

/** For requests that are lines of a batch. */
export interface LedgerLines {
  /**
   * Holds the upper bound of a whole batch's cost, until `release`.
   * @returns false if it does not fit beside the holds of other requests in flight: nothing was done
   * @throws GatewayError database_unavailable | insufficient_credit | cap_exceeded
   */
  reserve(hold: BatchHold): Promise<boolean>;
  /** Releases what is left of the batch's reserve. */
  release(batch: string, at: number): Promise<void>;
  /**
   * Like `release`, for batches that do not exist (any more) because a crash came between. On one machine's own database call it while nobody
   * creates batches; if machines share a database, it releases the reserves of processes that have ended.
   */
  releaseLost(at: number): Promise<void>;
  /** Like the ledger's `settleInterrupted`, for one batch, whoever began its lines. */
  interrupt(batch: string): Promise<void>;
  /** Makes room for the row of a line that is retried: the row of the failed or interrupted attempt keeps its token count under a new id. */
  setAside(requestId: string): Promise<void>;
  /** The ids of the batch's answered lines. */
  answered(batch: string): Promise<ReadonlySet<string>>;
  /** Settles an answered line, unless it is settled already. */
  settleOnce(row: LedgerRow, terms: Terms): Promise<void>;
}

/** What the ledger itself uses, inside its own transactions. */
export interface OpenLines extends LedgerLines {
  /** Like `settleOnce`. @param terms left out: the workspace exists @returns a charge of zero if the row was settled before */
  once(row: LedgerRow, terms?: Terms): Charge;
}

export interface BatchHold {
  readonly batch: string;
  readonly workspace: string;
  readonly most: Amount;
  readonly terms: Terms;
  readonly at: number;
}

/** The parts of the ledger that are needed here. */
interface LinesParts {
  readonly store: Store;
  readonly balances: Balances;
  readonly reserves: Reserves;
  readonly write: <T>(work: () => T) => Promise<T>;
  /** Must run in a transaction. */
  readonly begin: (row: LedgerRow, holding: Holding) => boolean;
  readonly put: (row: LedgerRow) => Charge;
  readonly settled: (requestId: string) => void;
  /** @param batch undefined: all batches */
  readonly interrupt: (batch: string) => void;
  /** Subtracts a row that is about to be removed from the sums. */
  readonly uncount: (requestId: string) => void;
}

interface Found {
  readonly status: bigint;
  readonly micro_credits_held: bigint;
  readonly pico_usd_held: bigint;
  readonly is_charged: bigint;
}

const UNDER_WAY = 0;
const ANSWERED = 200;
const FREE: Amount = { femtoCredits: 0n, picoUsd: 0n };
const OF_ONE_THAT_IS_THERE: Terms = {
  startingMicroCredits: null,
  caps: { day: undefined, month: undefined },
};
const NO_CHARGE: Charge = {
  microCredits: 0n,
  taken: 0n,
  short: 0n,
  remaining: null,
  femtoCreditsRounded: 0n,
};

export function openLines(parts: LinesParts): OpenLines {
  const { store, balances, reserves, write } = parts;
  const { database } = store;
  const countAside = database.query<{ readonly count: bigint }, [string]>(
    "SELECT count(*) AS count FROM ledger WHERE request_id > ?1 || '.' AND request_id < ?1 || '/'",
  );
  const rename = database.query<unknown, [string, string]>(
    `UPDATE ledger SET request_id = ?2 WHERE request_id = ?1 AND status <> ${ANSWERED}`,
  );
  const remove = database.query<unknown, [string]>("DELETE FROM ledger WHERE request_id = ?1");
  const select = database.query<Found, [string]>(
    `SELECT status, micro_credits_held, pico_usd_held,
       cost_pico_usd > 0 OR micro_credits > 0 OR femto_credits_rounded <> 0 AS is_charged FROM ledger WHERE request_id = ?1`,
  );
  const selectAnswered = database.query<{ readonly request_id: string }, [string]>(
    `SELECT request_id FROM ledger WHERE batch = ?1 AND status = ${ANSWERED}`,
  );
  const selectLost = database.query<{ readonly id: string }, []>(
    "SELECT id FROM reserves WHERE id NOT IN (SELECT id FROM batches WHERE status IN ('validating', 'in_progress', 'finalizing', 'cancelling'))",
  );
  function end(batch: string, at: number): void {
    const left = reserves.end(batch);
    if (left) balances.take(left.workspace, FREE, left.held, NO_CHARGE, at);
  }
  function setAside(id: string): void {
    const count = countAside.get(id)?.count ?? 0n;
    rename.run(id, `${id}.${count + 1n}`);
  }
  /** Deletes a row and ends its hold, so that the row of another process can take its place. */
  function discard({ request_id, workspace, batch, started_at }: LedgerRow, found: Found): void {
    const held = { microCredits: found.micro_credits_held, picoUsd: found.pico_usd_held };
    parts.uncount(request_id);
    remove.run(request_id);
    if (!reserves.giveBack(batch ?? "", held)) balances.take(workspace, FREE, held, NO_CHARGE, started_at);
  }
  function once(row: LedgerRow, terms = OF_ONE_THAT_IS_THERE): Charge {
    const found = select.get(row.request_id);
    if (found?.status === BigInt(ANSWERED)) return NO_CHARGE;
    // A charged row stays on the bill, under another id.
    if (found?.is_charged) setAside(row.request_id);
    else if (found) discard(row, found);
    const amount = { femtoCredits: row.cost_femto_credits, picoUsd: row.cost_pico_usd };
    const estimate = { least: amount, most: amount };
    parts.begin({ ...row, status: UNDER_WAY }, { estimate, terms, reserve: row.batch ?? undefined });
    return parts.put(row);
  }
  return {
    once,
    reserve: ({ batch, workspace, most, terms, at }) =>
      write(() => {
        const held = balances.hold(workspace, { least: most, most }, terms, at);
        if (held === undefined) return false;
        reserves.put(batch, workspace, held);
        return true;
      }),
    release: (batch, at) => write(() => end(batch, at)),
    releaseLost: (at) =>
      write(() => {
        for (const { id } of selectLost.all()) end(id, at);
      }),
    interrupt: (batch) => store.write(() => parts.interrupt(batch)),
    setAside: (id) => write(() => setAside(id)),
    answered: async (batch) =>
      new Set(store.read(() => selectAnswered.all(batch)).map(({ request_id }) => request_id)),
    async settleOnce(row, terms) {
      await write(() => once(row, terms));
      parts.settled(row.request_id);
    },
  };
}
