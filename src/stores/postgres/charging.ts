/**
 * Takes a request's hold and charge either from its workspace's row (holding.ts, settling.ts) or from this process's lease (leases.ts).
 * That is decided when the request begins, and does not change until it is settled.
 */
import type { Charge } from "../../books/balances";
import type { LedgerRow } from "../../books/ledger-row";
import type { DatabaseClock } from "./clock";
import type { Connection } from "./connection";
import { type HeldAndSettled, holdAndSettle } from "./hold-and-settle";
import { type Beginning, beginLeased, type Held, holdTogether, termsKey } from "./holding";
import type { Leases } from "./leases";
import { settleLeased, settleTogether } from "./settling";

export interface Charging {
  isLeased(row: LedgerRow): boolean;
  /** What the lease holds for a row; undefined where it is not held against a lease. */
  heldFor(row: LedgerRow): Held | undefined;
  /** Decides for requests that are about to begin. Must not be called within a transaction. */
  decide(connection: Connection, beginnings: readonly Beginning[]): Promise<void>;
  /** Requests with the same key share one statement. */
  beginKey(beginning: Beginning): string;
  /** @param all with the same `beginKey` @returns undefined where not all of them fit, or this process has lost its lease */
  begin(
    connection: Connection,
    all: readonly [Beginning, ...Beginning[]],
  ): Promise<readonly Held[] | undefined>;
  /** Whether these could begin in one statement with rows that are settled: `beginAndSettle`. @param all with the same `beginKey` */
  canShare(all: readonly [Beginning, ...Beginning[]]): boolean;
  /** @param all that can share @param rows of the same workspace, not leased, none of which costs more than its hold */
  beginAndSettle(
    connection: Connection,
    all: readonly [Beginning, ...Beginning[]],
    rows: readonly LedgerRow[],
  ): Promise<HeldAndSettled>;
  /** @param rows of one workspace, either all leased or none @param areFree see `settleTogether` */
  settle(
    connection: Connection,
    rows: readonly [LedgerRow, ...LedgerRow[]],
    areFree?: boolean,
  ): Promise<ReadonlyMap<string, Charge>>;
}

/** @param leases undefined where leases are switched off */
export function createCharging(
  leases: Leases | undefined,
  process: string,
  { at }: Pick<DatabaseClock, "at">,
): Charging {
  const isLeased = ({ request_id }: LedgerRow) => leases?.has(request_id) === true;
  return {
    isLeased,
    heldFor: ({ request_id }) => leases?.heldFor(request_id),
    async decide(connection, beginnings) {
      if (leases === undefined) return;
      for (const group of Map.groupBy(beginnings, termsKey).values()) await leases.cover(connection, group);
    },
    beginKey: (beginning) =>
      isLeased(beginning.row) ? `${beginning.row.workspace}\0leased` : termsKey(beginning),
    async begin(connection, all) {
      if (leases === undefined || !isLeased(all[0].row)) return holdTogether(connection, all, process, at());
      if (!(await beginLeased(connection, all, process, at()))) return undefined;
      return all.flatMap(({ row }) => leases.heldFor(row.request_id) ?? []);
    },
    canShare: (all) =>
      all[0].reserve === undefined &&
      !isLeased(all[0].row) &&
      all.some(({ estimate }) => estimate.most.femtoCredits > 0n || estimate.most.picoUsd > 0n),
    beginAndSettle: (connection, all, rows) => holdAndSettle(connection, all, rows, process, at()),
    settle(connection, rows, areFree = false) {
      const [{ workspace }] = rows;
      return leases && isLeased(rows[0])
        ? settleLeased(connection, workspace, rows, leases.mostFor, process)
        : settleTogether(connection, workspace, rows, areFree, process);
    },
  };
}
