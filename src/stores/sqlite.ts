/**
 * The storage in one SQLite file, for the processes of one machine. Each part's own file describes its tables.
 */
import type { Aside } from "../aside/aside";
import { ACTORS, openAudit } from "../books/audit";
import { openBatchRecords } from "../books/batch-records";
import { OWN_WORKSPACE, openLedger } from "../books/ledger";
import { openSeries } from "../books/open-series";
import { openRegrouping } from "../books/regrouping";
import { openRequestPages } from "../books/request-pages";
import { openRequests } from "../books/requests";
import { openStatements } from "../books/statements";
import { openTrimming } from "../books/trimming";
import { openUpstreamRecords } from "../books/upstream-batches";
import { openKeys } from "../callers/keys";
import { openSessions } from "../callers/sessions";
import { openWorkspaceNames } from "../callers/workspace-names";
import { openWorkspaces } from "../callers/workspaces";
import type { Checkpoint } from "../db/log-keeper";
import { type Durability, openStore, type Store } from "../db/open";
import { asGatewayError } from "../domain/errors";
import { onFirstUse } from "../domain/first-use";
import type { Outside } from "../domain/outside";
import { openFingerprints } from "../spaces/fingerprints";
import { forgetSpace } from "../spaces/forget";
import { openLimits } from "../spaces/limits";
import { openRecords } from "../spaces/records";
import type { Stores } from "./stores";

/**
 * @param path a file, created with its folder if missing and readable only by its owner, or ":memory:"
 * @param aside left out, or without threads: checkpoints run as part of a commit
 * @throws GatewayError database_unavailable
 */
export async function openSqlite(
  path: string,
  outside: Outside,
  durability?: Durability,
  aside?: Aside,
): Promise<Stores> {
  return sqliteStores(
    await openStore(path, outside, durability, aside && checkpointBy(aside, outside)),
    outside,
  );
}

/** Undefined without threads, as a checkpoint would then run on this thread anyway. */
function checkpointBy(aside: Aside, { log }: Pick<Outside, "log">): Checkpoint | undefined {
  if (aside.threads === 0) return undefined;
  return {
    perform: (job) => aside.perform("checkpoint", job),
    failed(cause) {
      log("warn", "checkpoint of the database failed: from now on commits run it", {
        cause: asGatewayError(cause).inLog,
      });
    },
  };
}

/** A start prepares only the SQL that it needs: each statement takes some 0.1 ms. */
export function sqliteStores(store: Store, outside: Outside): Stores {
  return {
    openKeys: () => openKeys(store, outside),
    openWorkspaces: (defaults) => openWorkspaces(store, defaults, outside),
    openWorkspaceNames: () => openWorkspaceNames(store, outside),
    openLedger: (process, configuredModel) => openLedger(store, process, configuredModel),
    openStatements() {
      const statements = onFirstUse(() => openStatements(store, outside));
      return {
        spent: (...asked) => statements().spent(...asked),
        history: (workspace) => statements().history(workspace),
        invoice: (...asked) => statements().invoice(...asked),
      };
    },
    openRequests: () => openRequests(store),
    openRequestPages: () => openRequestPages(store, outside),
    openSeries: () => openSeries(store, outside, OWN_WORKSPACE),
    openTrimming(keep) {
      const trimming = onFirstUse(() => openTrimming(store, outside, keep));
      return { bite: () => trimming().bite() };
    },
    openRegrouping() {
      const regrouping = onFirstUse(() => openRegrouping(store, outside));
      return { bite: () => regrouping().bite() };
    },
    openAudit: () => openAudit(store, outside),
    openSessions: () => openSessions(store, openAudit(store, outside), outside),
    openFingerprints: () => openFingerprints(store),
    openRecords: () => openRecords(store),
    openLimits: () => openLimits(store, outside),
    forgetSpace: (space, actor = ACTORS.commandLine) =>
      forgetSpace(store, openAudit(store, outside), space, actor),
    size: async () => sizeOf(store),
    openBatchRecords: () => openBatchRecords(store),
    openUpstreamRecords: () => openUpstreamRecords(store),
    check: store.check,
    async close() {
      store.close();
    },
  };
}

/** The size of the file without its write-ahead log. */
function sizeOf({ database, read }: Store): number {
  const query = database.query<{ readonly bytes: bigint }, []>(
    "SELECT page_count * page_size AS bytes FROM pragma_page_count(), pragma_page_size()",
  );
  return Number(read(() => query.get())?.bytes ?? 0n);
}
