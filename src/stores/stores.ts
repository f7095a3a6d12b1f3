/**
 * What a gateway keeps, whatever database keeps it: each part's interface is its own file's, and this is how all of them are had.
 * A new database is a further file here that makes a `Stores`; test/stores/ judges it. A new part is a member, and one in each.
 *
 * What a request asks for on its way (`Keys.find`, `Workspaces.rules`, `Fingerprints.find`, `Limits.find`) is answered at once: a database
 * that is elsewhere answers it from memory. All else may take its time.
 */
import type { Ledger } from "../books/ledger";
import type { Requests } from "../books/requests";
import type { Statements } from "../books/statements";
import type { Keys } from "../callers/keys";
import type { WorkspaceNames } from "../callers/workspace-names";
import type { Workspaces } from "../callers/workspaces";
import type { WorkspaceSection } from "../config/schema-workspaces";
import type { Fingerprints } from "../spaces/fingerprints";
import type { Limits } from "../spaces/limits";
import type { RouteRecords } from "../spaces/records";

export interface Stores {
  openKeys(): Keys;
  /** @param defaults as they are now: a reload may change them */
  openWorkspaces(defaults: () => WorkspaceSection): Workspaces;
  openWorkspaceNames(): WorkspaceNames;
  /**
   * @param process who begins the rows, where several serve by one database
   * @param configuredModel the routing file's id or pattern that a model came in by
   */
  openLedger(process?: string | null, configuredModel?: (model: string) => string | undefined): Ledger;
  openStatements(): Statements;
  openRequests(): Requests;
  openFingerprints(): Fingerprints;
  openRecords(): RouteRecords;
  openLimits(): Limits;
  /** @throws GatewayError database_unavailable when nothing can be read */
  check(): void;
  close(): Promise<void>;
}
