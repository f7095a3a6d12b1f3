/**
 * Everything in one SQLite file, for the processes of one machine. What the tables hold belongs to the parts' own files.
 */
import { openLedger } from "../books/ledger";
import { openRequests } from "../books/requests";
import { openStatements } from "../books/statements";
import { openKeys } from "../callers/keys";
import { openWorkspaceNames } from "../callers/workspace-names";
import { openWorkspaces } from "../callers/workspaces";
import { type Durability, openStore, type Store } from "../db/open";
import type { Outside } from "../domain/outside";
import { openFingerprints } from "../spaces/fingerprints";
import { openLimits } from "../spaces/limits";
import { openRecords } from "../spaces/records";
import type { Stores } from "./stores";

/**
 * @param path a file, made with its folder if absent and readable by nobody else, or ":memory:"
 * @throws GatewayError database_unavailable
 */
export async function openSqlite(path: string, outside: Outside, durability?: Durability): Promise<Stores> {
  return sqliteStores(await openStore(path, outside, durability), outside);
}

export function sqliteStores(store: Store, outside: Outside): Stores {
  return {
    openKeys: () => openKeys(store, outside),
    openWorkspaces: (defaults) => openWorkspaces(store, defaults, outside),
    openWorkspaceNames: () => openWorkspaceNames(store, outside),
    openLedger: (process, configuredModel) => openLedger(store, process, configuredModel),
    openStatements: () => openStatements(store),
    openRequests: () => openRequests(store),
    openFingerprints: () => openFingerprints(store),
    openRecords: () => openRecords(store),
    openLimits: () => openLimits(store, outside),
    check: store.check,
    async close() {
      store.close();
    },
  };
}
