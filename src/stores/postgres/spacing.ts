/**
 * Larger groups under load: a commit costs this process and the server as much as several writes do, so while many requests are under way, the
 * next commit waits a little for more of them. Where few writes come, none waits. The figures are in docs/speed.md.
 */
import type { Outside } from "../../domain/outside";

export interface Spacing {
  /** A group was written. @param queued how many writes came meanwhile */
  ended(queued: number): void;
  /** How long a group of so many writes is to wait for more; 0: not at all. */
  waitMs(writes: number): number;
}

/** So many writes come during a commit where the load is high. */
const BUSY_WRITES = 4;
/** A larger group is hardly cheaper for each of its writes, and while it gathers the server has nothing to do. */
const ENOUGH_WRITES = 16;
/** When so many of the requests under way have their write in the group, few more will come. */
const SHARE_ENOUGH = 0.75;
/** Since the last commit: a request waits for two commits, and is delayed by less than twice as much. */
const WAIT_MS_MAX = 1;

/** @param underWay how many requests wait to begin, or have begun and are not settled */
export function createSpacing(underWay: () => number, { monotonic }: Pick<Outside, "monotonic">): Spacing {
  let isBusy = false;
  let endedAt = Number.NEGATIVE_INFINITY;
  return {
    ended(queued) {
      endedAt = monotonic();
      isBusy = queued >= BUSY_WRITES;
    },
    waitMs(writes) {
      if (!isBusy || writes >= Math.min(ENOUGH_WRITES, SHARE_ENOUGH * underWay())) return 0;
      return Math.max(0, WAIT_MS_MAX - (monotonic() - endedAt));
    },
  };
}
