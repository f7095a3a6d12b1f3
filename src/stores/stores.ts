/**
 * The storage of a gateway, independent of the database: each part's interface is in its own file; this joins them.
 * A new database is a further file here that makes a `Stores`; test/stores/ judges it. A new part is a member, and one in each.
 *
 * What a request asks for on its way (`Keys.find`, `Workspaces.rules`, `Fingerprints.find`, `Limits.find`) is answered at once: a database
 * that is remote answers from memory. All else may be asynchronous.
 */
import type { Audit } from "../books/audit";
import type { BatchRecords } from "../books/batch-records";
import type { Ledger } from "../books/ledger";
import type { RequestPages } from "../books/request-pages";
import type { Requests } from "../books/requests";
import type { Series } from "../books/series";
import type { Statements } from "../books/statements";
import type { Keep, Trimming } from "../books/trimming";
import type { UpstreamRecords } from "../books/upstream-batches";
import type { Keys } from "../callers/keys";
import type { Sessions } from "../callers/sessions";
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
  openRequestPages(): RequestPages;
  /** Sums over time, as the ledger keeps them. */
  openSeries(): Series;
  /** @param keep as it is now: a reload may change it */
  openTrimming(keep: () => Keep): Trimming;
  openAudit(): Pick<Audit, "list">;
  openSessions(): Sessions;
  openFingerprints(): Fingerprints;
  openRecords(): RouteRecords;
  openLimits(): Limits;
  /**
   * Forgets what was measured of a space, and the limits that were learnt in it.
   * @param actor as the audit trail names it; left out: the command line @returns whether there was one
   */
  forgetSpace(space: string, actor?: string): Promise<boolean>;
  /** What it takes, in bytes. */
  size(): Promise<number>;
  openBatchRecords(): BatchRecords;
  openUpstreamRecords(): UpstreamRecords;
  /** @throws GatewayError database_unavailable when nothing can be read */
  check(): void;
  close(): Promise<void>;
  /** Left out: there is no connection pool. */
  readonly connections?: () => ConnectionFigures;
  /** Left out: the database is one machine's alone. */
  readonly machines?: Machines;
}

/** The connection pool of a process, now. */
export interface ConnectionFigures {
  readonly inUse: number;
  readonly most: number;
  /** Requests, and others, that wait for a connection. */
  readonly waiting: number;
  /** The longest that one of the last minute or two waited. */
  readonly longestWaitMs: number;
}

/** Gateways that serve by the same database. */
export interface Machines {
  /** @param routingFile a hash of what this one serves by from now on (machines.ts) */
  serving(routingFile: string): void;
  /** Problems among them, as messages, a few seconds old at most. */
  notices(): readonly string[];
}
