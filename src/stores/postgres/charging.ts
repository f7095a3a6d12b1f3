/**
 * What a request's hold and charge are taken from: its workspace's row (holding.ts, settling.ts), or this process's lease of it (leases.ts).
 * Which of them is decided when it is begun, and stays so.
 */
import type { Charge } from "../../books/balances";
import type { LedgerRow } from "../../books/ledger-row";
import type { DatabaseClock } from "./clock";
import type { Connection } from "./connection";
import { type Beginning, beginLeased, type Held, holdTogether, termsKey } from "./holding";
import type { Leases } from "./leases";
import { settleLeased, settleTogether } from "./settling";

export interface Charging {
  isLeased(row: LedgerRow): boolean;
  /** Undefined where it is not leased. */
  heldFor(row: LedgerRow): Held | undefined;
  /** Decides it for requests that are about to begin. Not in a transaction. */
  decide(connection: Connection, beginnings: readonly Beginning[]): Promise<void>;
  /** Those of one statement. */
  beginKey(beginning: Beginning): string;
  /** @param all of one `beginKey` @returns undefined: not all of them fit, or this process has lost its lease */
  begin(
    connection: Connection,
    all: readonly [Beginning, ...Beginning[]],
  ): Promise<readonly Held[] | undefined>;
  /** @param rows of one workspace, and all leased or none @param areFree see `settleTogether` */
  settle(
    connection: Connection,
    rows: readonly [LedgerRow, ...LedgerRow[]],
    areFree?: boolean,
  ): Promise<ReadonlyMap<string, Charge>>;
}

/** @param leases undefined: nothing is leased */
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
    settle(connection, rows, areFree = false) {
      const [{ workspace }] = rows;
      return leases && isLeased(rows[0])
        ? settleLeased(connection, workspace, rows, leases.mostFor, process)
        : settleTogether(connection, workspace, rows, areFree, process);
    },
  };
}
