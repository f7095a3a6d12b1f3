/**
 * The load generator: keeps connections busy for a time or for a number of requests, and sums up the results.
 * The lane decides how a request is sent and judged; a further figure is a member of `Tally`.
 */
import type { Outside } from "../domain/outside";

/** The result of one request. */
export interface Outcome {
  readonly took_ms: number;
  /** Of the body. */
  readonly bytes: number;
  /** The count in the answer's usage. */
  readonly tokens?: number | undefined;
  readonly failure?: Failure | undefined;
}

export interface Failure {
  /** A status, or a short label, by which failures are counted. */
  readonly kind: string;
  readonly message: string;
  /** Time to wait before the next request (`Retry-After`). */
  readonly rest_ms?: number | undefined;
}

/** Sends one request; rejects only for failures that are not the endpoint's. */
export type Lane = () => Promise<Outcome>;

export interface Limits {
  readonly ms: number;
  readonly requests: number;
  /** Ends the load at once. */
  readonly stop: AbortSignal;
}

/** @returns how long it took, and how much of that was spent in pauses */
export async function keepBusy(
  lanes: readonly Lane[],
  { ms, requests, stop }: Limits,
  { monotonic, sleep }: Pick<Outside, "monotonic" | "sleep">,
  record: (outcome: Outcome, lane: number) => void,
): Promise<{ took_ms: number; rested_ms: number }> {
  const startedAt = monotonic();
  const endsAt = startedAt + ms;
  let restsUntil = startedAt;
  let rested_ms = 0;
  let sent = 0;

  async function rest(now: number): Promise<void> {
    try {
      await sleep(Math.min(restsUntil, endsAt) - now, stop);
    } catch (cause) {
      if (!stop.aborted) throw cause;
    }
  }

  /** A requested pause applies to all connections: the endpoint means the caller. */
  function restFor(rest_ms: number): void {
    const now = monotonic();
    const until = Math.min(now + rest_ms, endsAt);
    rested_ms += Math.max(0, until - Math.max(now, restsUntil));
    restsUntil = Math.max(restsUntil, until);
  }

  async function run(lane: Lane, place: number): Promise<void> {
    while (sent < requests && !stop.aborted) {
      const now = monotonic();
      if (now >= endsAt) return;
      if (now < restsUntil) {
        await rest(now);
        continue;
      }
      sent += 1;
      const outcome = await lane();
      // Requests in flight when it was stopped do not count.
      if (stop.aborted) return;
      record(outcome, place);
      if (outcome.failure?.rest_ms !== undefined) restFor(outcome.failure.rest_ms);
    }
  }

  await Promise.all(lanes.map(run));
  return { took_ms: monotonic() - startedAt, rested_ms };
}

export interface Tally {
  readonly sent: number;
  readonly right: number;
  readonly bytes: number;
  /** undefined if no answer has usage. */
  readonly tokens: number | undefined;
  /** Latencies of correct answers, sorted. */
  readonly latencies_ms: readonly number[];
  /** The most frequent first. */
  readonly failures: readonly { readonly kind: string; readonly count: number; readonly message: string }[];
}

/** The number of recent latencies in the progress bar's figures. */
const GLANCE = 500;

export function openTally() {
  const latencies_ms: number[] = [];
  const failures = new Map<string, { kind: string; count: number; message: string }>();
  let sent = 0;
  let bytes = 0;
  let tokens: number | undefined;
  return {
    record(outcome: Outcome): void {
      sent += 1;
      const { failure } = outcome;
      if (failure) {
        const seen = failures.get(failure.kind) ?? { kind: failure.kind, count: 0, message: failure.message };
        seen.count += 1;
        failures.set(failure.kind, seen);
        return;
      }
      latencies_ms.push(outcome.took_ms);
      bytes += outcome.bytes;
      if (outcome.tokens !== undefined) tokens = (tokens ?? 0) + outcome.tokens;
    },
    /** What a progress bar shows meanwhile. */
    glance: () => ({
      sent,
      right: latencies_ms.length,
      p50_ms: percentile(
        latencies_ms.slice(-GLANCE).sort((a, b) => a - b),
        0.5,
      ),
    }),
    total: (): Tally => ({
      sent,
      right: latencies_ms.length,
      bytes,
      tokens,
      latencies_ms: latencies_ms.toSorted((a, b) => a - b),
      failures: [...failures.values()].sort((a, b) => b.count - a.count),
    }),
  };
}

/** @param sorted ascending; 0 if there is none */
export const percentile = (sorted: readonly number[], share: number): number =>
  sorted[Math.min(sorted.length - 1, Math.floor(sorted.length * share))] ?? 0;
