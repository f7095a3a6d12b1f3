/**
 * Keeps SQLite's write-ahead log short without delaying requests: SQLite itself would move the log into the database within a commit, which then
 * takes some 25 ms, since it waits for the disk twice. src/aside/checkpoint.ts moves it instead, in a Worker.
 */
import type { Database } from "bun:sqlite";
import type { LogOf } from "../aside/checkpoint";

/** Moves the log's pages into the database. */
export interface Checkpoint {
  /** Rejects if it cannot. */
  perform(log: LogOf): Promise<unknown>;
  /** It is not called again: SQLite does the work. */
  failed(cause: unknown): void;
}

export interface LogKeeper {
  /** Call this after each commit. */
  committed(): void;
  /** Failures after this are caused by the shutdown. */
  close(): void;
}

/** Pages in the log before SQLite moves them itself: rare enough to slow down few requests. */
const PAGES_IN_LOG = 8_000;
/** While the log has fewer pages, a checkpoint delays no commit. Beyond this, some 130 MB, commits wait for the disk. */
const PAGES_IN_LOG_MAX = 32_000;
/** Some 6,000 pages if requests come one by one. */
export const COMMITS_BETWEEN = 1_000;

/** @param checkpoint left out: SQLite does it within commits */
export function keepLogShort(database: Database, path: string, checkpoint?: Checkpoint): LogKeeper {
  const leaveToSqlite = (pages: number) => database.run(`PRAGMA wal_autocheckpoint = ${pages}`);
  if (!checkpoint || path === ":memory:") {
    leaveToSqlite(PAGES_IN_LOG);
    return { committed() {}, close() {} };
  }
  // Twice the limit: SQLite does it only if the Worker did not.
  leaveToSqlite(2 * PAGES_IN_LOG_MAX);
  let commits = 0;
  let isUnderWay = false;
  let isOver = false;
  return {
    committed() {
      commits += 1;
      if (commits < COMMITS_BETWEEN || isUnderWay || isOver) return;
      commits = 0;
      isUnderWay = true;
      checkpoint.perform({ path, pagesMax: PAGES_IN_LOG_MAX }).then(
        () => {
          isUnderWay = false;
        },
        (cause: unknown) => {
          if (isOver) return;
          isOver = true;
          leaveToSqlite(PAGES_IN_LOG);
          checkpoint.failed(cause);
        },
      );
    },
    close() {
      isOver = true;
    },
  };
}
