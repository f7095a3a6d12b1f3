/**
 * All sums that are written in the commit of the ledger's rows: by minute and hour of every row (rollups.ts), and by day and metadata of those
 * that carry some (metadata-rollups.ts). Another kind of sums is opened here.
 */
import type { Database } from "bun:sqlite";
import { openMetadataRollups } from "./metadata-rollups";
import { NOT_CHARGED, openRollups, type Rollups } from "./rollups";

/** @param ownWorkspace whose rows are the gateway's own calls, and no client's requests */
export function openLedgerSums(database: Database, ownWorkspace: string): Rollups {
  const byTime = openRollups(database, ownWorkspace);
  const byMetadata = openMetadataRollups(database, ownWorkspace);
  return {
    add(row, charge = NOT_CHARGED, sign = 1) {
      byTime.add(row, charge, sign);
      if (row.metadata !== null) byMetadata.add(row, charge, sign);
    },
    flush() {
      byTime.flush();
      byMetadata.flush();
    },
    ended(isCommitted) {
      byTime.ended(isCommitted);
      byMetadata.ended(isCommitted);
    },
  };
}
