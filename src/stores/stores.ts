/**
 * The storage of a gateway, independent of the database: each part's interface is in its own file; this joins them.
 * To add a database, write a file here that makes a `Stores`; test/stores/ tests it. To add a part, add a member here and in each database.
 *
 * What every request reads (`Keys.find`, `Workspaces.rules`, `Fingerprints.find`, `Limits.find`) is answered synchronously: for a remote
 * database from a copy in memory. Everything else may be asynchronous.
 */
import type { Audit } from "../books/audit";
import type { BatchRecords } from "../books/batch-records";
import type { Ledger } from "../books/ledger";
import type { Regrouping } from "../books/regrouping";
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
  /** @param defaults returns the current ones, as a reload may change them */
  openWorkspaces(defaults: () => WorkspaceSection): Workspaces;
  openWorkspaceNames(): WorkspaceNames;
  /**
   * @param process the process that begins the rows, where several share one database
   * @param configuredModel the routing file's id or pattern that a requested model matched
   */
  openLedger(process?: string | null, configuredModel?: (model: string) => string | undefined): Ledger;
  openStatements(): Statements;
  openRequests(): Requests;
  openRequestPages(): RequestPages;
  /** The ledger's sums over time. */
  openSeries(): Series;
  /** @param keep returns the current setting, as a reload may change it */
  openTrimming(keep: () => Keep): Trimming;
  /** Sums of finished hours and days, by which the dashboard reads a month of a million requests in milliseconds. */
  openRegrouping(): Regrouping;
  openAudit(): Pick<Audit, "list">;
  openSessions(): Sessions;
  openFingerprints(): Fingerprints;
  openRecords(): RouteRecords;
  openLimits(): Limits;
  /**
   * Deletes what was measured of a space, and the limits that were learned in it.
   * @param actor who does it, for the audit trail; left out: the command line @returns whether the space was known
   */
  forgetSpace(space: string, actor?: string): Promise<boolean>;
  /** The size of the database in bytes. */
  size(): Promise<number>;
  openBatchRecords(): BatchRecords;
  openUpstreamRecords(): UpstreamRecords;
  /** @throws GatewayError database_unavailable when nothing can be read */
  check(): void;
  close(): Promise<void>;
  /** Left out without a connection pool. */
  readonly connections?: () => ConnectionFigures;
  /** Left out where only one machine can use the database. */
  readonly machines?: Machines;
}

/** The current figures of a process's connection pool. */
export interface ConnectionFigures {
  readonly inUse: number;
  readonly most: number;
  /** Requests and background work that wait for a connection. */
  readonly waiting: number;
  /** The longest wait of the last one to two minutes. */
  readonly longestWaitMs: number;
}

/** Gateways on the same database. */
export interface Machines {
  /** @param routingFile the hash of the routing file that this gateway uses from now on (machines.ts) */
  serving(routingFile: string): void;
  /** Messages about problems between the gateways, at most a few seconds old. */
  notices(): readonly string[];
}
