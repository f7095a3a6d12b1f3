/**
 * All sums that are written in the commit of the ledger's rows: by minute and hour for every row (rollups.ts), by day and metadata for rows
 * that have metadata (metadata-rollups.ts). A new kind of sum is opened here.
 */
import type { Database } from "bun:sqlite";
import { openMetadataRollups } from "./metadata-rollups";
import { NOT_CHARGED, openRollups, type Rollups } from "./rollups";

/** @param ownWorkspace the workspace of the gateway's own calls, which do not count as requests of clients */
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
