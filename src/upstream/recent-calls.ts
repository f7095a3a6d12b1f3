/**
 * How many calls of the last minutes failed, for one model at a provider: in memory, by minute. It is for the operator; nothing is chosen by it.
 * A further thing to count is a member of `CallCounts` in src/domain/health.ts.
 */
import type { ErrorKind } from "../domain/errors";
import type { CallCounts, CallEnd, Health, Outcome, RecentCalls } from "../domain/health";

const MINUTE_MS = 60_000;
const MINUTES_KEPT = 10;

/** @param kind "ok", or the error's kind */
export function noteCall(
  { recentCalls }: Pick<Health, "recentCalls">,
  now: number,
  outcome: Outcome,
  kind: "ok" | ErrorKind,
): void {
  if (kind === "overloaded") recentCalls.ended(now, "limited");
  else if (outcome === "failed" || outcome === "timed out") recentCalls.ended(now, "failed");
  else if (outcome === "good") recentCalls.ended(now, "answered");
}

interface MinuteOfCalls extends CallCounts {
  /** Since the clock's start. */
  readonly minute: number;
  calls: number;
  failed: number;
  limited: number;
}

export function createRecentCalls(): RecentCalls {
  /** The oldest first. */
  const minutes: MinuteOfCalls[] = [];
  let latest: CallEnd | undefined;

  function current(now: number): MinuteOfCalls {
    const minute = Math.floor(now / MINUTE_MS);
    const newest = minutes.at(-1);
    if (newest?.minute === minute) return newest;
    const begun = { minute, calls: 0, failed: 0, limited: 0 };
    minutes.push(begun);
    if (minutes.length > MINUTES_KEPT) minutes.shift();
    return begun;
  }

  return {
    ended(now, how) {
      latest = how;
      const counts = current(now);
      counts.calls++;
      if (how !== "answered") counts[how]++;
    },
    of(lastMinutes, now) {
      const from = Math.floor(now / MINUTE_MS) - lastMinutes + 1;
      const sum = { calls: 0, failed: 0, limited: 0 };
      for (const { minute, calls, failed, limited } of minutes) {
        if (minute < from) continue;
        sum.calls += calls;
        sum.failed += failed;
        sum.limited += limited;
      }
      return sum;
    },
    get latest() {
      return latest;
    },
  };
}
