/**
 * Distributes batches: each process takes free batches with a lease that it renews. If a process dies, or does not renew in time, others take
 * its batches and resume them.
 */

import type { BatchRecord, BatchRecords } from "../books/batch-records";
import { Ending } from "../domain/ending";
import { asGatewayError } from "../domain/errors";
import type { Outside } from "../domain/outside";
import type { Halt, Held } from "./running";

export interface Runner {
  /** Starts work on batches. @param isFirst no other process works on any, so that all leases belong to dead processes */
  start(isFirst: boolean): Promise<void>;
  /** Looks for batches to start or to stop. */
  look(): void;
  /** Called when the process with that name has died. */
  ended(owner: string): Promise<void>;
  /** Starts nothing more; resolves when all leases are given up. */
  stop(): Promise<void>;
}

interface RunnerParts {
  readonly records: BatchRecords;
  readonly owner: string;
  readonly run: (held: Held) => Promise<void>;
  /** @throws if the gateway accepts no more work */
  readonly checkStays: () => void;
  readonly outside: Pick<Outside, "now" | "sleep" | "alarm" | "log">;
}

const BATCHES_AT_ONCE = 4;
const LEASE_MS = 30_000;
const RENEW_MS = 5_000;
/** A process that could not renew its lease stops this long before it ends, as another may take the batch then. */
const MARGIN_MS = 5_000;
/** Poll interval while other processes work on batches. */
const LOOK_MS = 5_000;
const PAUSE_MS = 1_000;
/** Backoff for a batch that failed by an internal error. */
const AGAIN_MS = 15_000;

interface Running {
  readonly halt: Ending;
  readonly leave: Ending;
  readonly batch: BatchRecord;
}

export function createRunner({ records, owner, run, checkStays, outside }: RunnerParts): Runner {
  const running = new Map<string, Running>();
  const works = new Set<Promise<void>>();
  let isOn = false;
  let isLooking = false;
  let isAskedAgain = false;
  let callOff = () => {};
  let stopped = new Ending();

  function stays(): boolean {
    if (!isOn) return false;
    try {
      checkStays();
      return true;
    } catch {
      return false;
    }
  }

  async function lookOnce(): Promise<void> {
    for (const [id, { halt, batch }] of running) {
      if ((await records.batch(id))?.status === "cancelling") halt.abort("cancelled" satisfies Halt);
      else if (outside.now() >= batch.expires_at) halt.abort("expired" satisfies Halt);
    }
    while (stays() && running.size < BATCHES_AT_ONCE) {
      const now = outside.now();
      const batch = await records.claim(owner, now, LEASE_MS);
      if (!batch) break;
      const work = hold(batch, now + LEASE_MS).finally(() => works.delete(work));
      works.add(work);
    }
    callOff();
    // Only while there are open batches, so that a gateway without batches has no timer.
    if (stays() && (await records.countOpen()) > 0) callOff = outside.alarm(LOOK_MS, look);
  }

  function look(): void {
    isAskedAgain = true;
    if (isLooking || !isOn) return;
    isLooking = true;
    void (async () => {
      while (isAskedAgain) {
        isAskedAgain = false;
        try {
          await lookOnce();
        } catch (thrown) {
          outside.log("warn", "batches cannot be read from the database: retrying", {
            reason: asGatewayError(thrown).inLog,
          });
          if (isOn) callOff = outside.alarm(LOOK_MS, look);
        }
      }
      isLooking = false;
    })();
  }

  async function hold(batch: BatchRecord, firstEndsAt: number): Promise<void> {
    const { id, expires_at } = batch;
    const halt = new Ending();
    const leave = new Ending();
    // A process that shuts down starts nothing more.
    leave.addEventListener("abort", () => halt.abort("left" satisfies Halt));
    let leaseEndsAt = firstEndsAt;
    const isLost = () => outside.now() > leaseEndsAt - MARGIN_MS;
    running.set(id, { halt, leave, batch });
    if (batch.status === "cancelling") halt.abort("cancelled" satisfies Halt);
    const offExpiry = outside.alarm(Math.max(0, expires_at - outside.now()), () =>
      halt.abort("expired" satisfies Halt),
    );
    const over = new Ending();
    const renewing = renewed();
    async function renewed(): Promise<void> {
      while (!over.aborted) {
        await outside.sleep(RENEW_MS, over).catch(() => undefined);
        if (over.aborted) return;
        try {
          const now = outside.now();
          if (await records.renew(id, owner, now, LEASE_MS)) leaseEndsAt = now + LEASE_MS;
          else {
            leaseEndsAt = 0;
            leave.abort("lost");
          }
          if ((await records.batch(id))?.status === "cancelling") halt.abort("cancelled" satisfies Halt);
        } catch {
          // The database is locked: the lease is long enough for several attempts.
        }
        if (!stays() || isLost()) leave.abort("left");
      }
    }
    try {
      await run({ batch, halt, leave, isLost });
      // The batch was halted before its end: it is not resumed at once.
      if (isOn && !isLost() && (await records.isKnown(id)))
        await outside.sleep(PAUSE_MS, stopped).catch(() => undefined);
    } catch (thrown) {
      const error = asGatewayError(thrown);
      outside.log("error", "batch failed with an internal error: it is retried", {
        batch: id,
        reason: error.inLog,
        ...(error.kind === "internal" && { cause: String(error.cause) }),
      });
      if (isOn) await outside.sleep(AGAIN_MS, stopped).catch(() => undefined);
    } finally {
      over.abort("over");
      offExpiry();
      await renewing;
      running.delete(id);
      if (!isLost()) await records.leave(owner, id).catch(() => undefined);
      if (isOn) look();
    }
  }

  return {
    async start(isFirst) {
      isOn = true;
      stopped = new Ending();
      if (isFirst && (await records.countOpen()) > 0) await records.leave(undefined);
      look();
    },
    look,
    async ended(dead) {
      await records.leave(dead);
      look();
    },
    async stop() {
      isOn = false;
      callOff();
      stopped.abort("stopped");
      for (const { leave } of running.values()) leave.abort("left");
      await Promise.all(works);
    },
  };
}
