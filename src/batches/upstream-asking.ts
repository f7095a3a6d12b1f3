/**
 * Calls to a provider's batch service, retried until it answers: submit a batch once, poll its state, fetch its results. A submitted batch is
 * paid for, so it is not given up because fetching its results fails.
 */

import type { UpstreamRecord } from "../books/upstream-batches";
import { abortSignalOf, Ending } from "../domain/ending";
import { asGatewayError, type ErrorKind, GatewayError } from "../domain/errors";
import type { Outside } from "../domain/outside";
import { unlessAborted } from "../domain/until";
import { TRANSIENT } from "../jobs/isolate";
import type { BatchCall, BatchService } from "../plugin";

/** `halt` fires when no further line is started, `leave` when the lease must be given up at once. */
export interface Stops {
  readonly halt: Ending;
  readonly leave: Ending;
}

export interface AskingParts {
  readonly outside: Pick<Outside, "sleep" | "random" | "alarm" | "log" | "monotonic">;
}

const POLL_MS_MIN = 2_000;
const POLL_MS_MAX = 60_000;
/** A cancelled batch has this long to deliver its partial results. */
const ENDING_MS = 15 * 60_000;
const CALL_MS = 10 * 60_000;
const ASKED_AGAIN_MS_MAX = 60_000;

/** @returns the batch's id at the provider; undefined if it is left for later @throws GatewayError that its lines end with */
export async function submitOnce(
  { tag, model }: UpstreamRecord,
  service: BatchService,
  calls: readonly BatchCall[],
  mayBeThere: boolean,
  stops: Stops,
  parts: AskingParts,
): Promise<string | undefined> {
  let isSent = mayBeThere;
  return patiently(
    async () => {
      // A failed attempt may have reached the provider.
      const known = isSent ? await timed(parts, stops, (signal) => service.find(tag, signal)) : undefined;
      if (known !== undefined || stops.halt.aborted) return known;
      isSent = true;
      return timed(parts, stops, (signal) => service.submit({ tag, model, calls, signal }));
    },
    stops,
    parts,
    UNPAID,
  );
}

export async function untilEnded(
  id: string,
  service: BatchService,
  stops: Stops,
  parts: AskingParts,
): Promise<{ readonly why: string | undefined } | undefined> {
  const { outside } = parts;
  const { halt, leave } = stops;
  let pause = POLL_MS_MIN;
  let endsAt: number | undefined;
  for (;;) {
    const looked = await patiently(
      () => timed(parts, stops, (signal) => service.look(id, signal)),
      stops,
      parts,
      PAID,
    );
    if (looked === undefined) return undefined;
    if (looked.state === "ended") return { why: looked.why };
    if (leave.aborted) return undefined;
    if (halt.aborted) {
      if (endsAt === undefined) {
        endsAt = outside.monotonic() + ENDING_MS;
        pause = POLL_MS_MIN;
        // A batch that has just ended cannot be cancelled: the next poll reports its end.
        await timed(parts, stops, (signal) => service.cancel(id, signal)).catch((thrown: unknown) =>
          outside.log("warn", "a provider's batch could not be cancelled: waiting until it ends", {
            upstream_batch: id,
            reason: asGatewayError(thrown).inLog,
          }),
        );
      }
      if (outside.monotonic() >= endsAt) return undefined;
      await outside.sleep(pause, leave).catch(() => undefined);
    } else await outside.sleep(pause, halt).catch(() => undefined);
    pause = Math.min(POLL_MS_MAX, pause * 1.5);
  }
}

interface Patience {
  readonly waitsFor: ReadonlySet<ErrorKind>;
  /** Whether to continue after `halt`, until `leave`. */
  readonly goesOn: boolean;
}

/** Continues after `halt`: a failed attempt may have reached the provider, and the batch must then be cancelled there. */
const UNPAID: Patience = { waitsFor: TRANSIENT, goesOn: true };
/** For a submitted batch, which is paid for: even a refused key may soon be valid again. */
export const PAID: Patience = {
  waitsFor: new Set<ErrorKind>([...TRANSIENT, "unauthorized", "wrong_address", "invalid"]),
  goesOn: true,
};
const LAST_ATTEMPTS_MAX = 5;

/** Retries transient errors with exponential backoff. @returns undefined if it gives up */
export async function patiently<T>(
  work: () => Promise<T>,
  stops: Stops,
  { outside }: AskingParts,
  { waitsFor, goesOn }: Patience,
): Promise<T | undefined> {
  const { halt, leave } = stops;
  let last = 0;
  for (let attempt = 1; ; attempt++) {
    if (halt.aborted) last += 1;
    if (leave.aborted || (halt.aborted && (!goesOn || last > LAST_ATTEMPTS_MAX))) return undefined;
    try {
      return await work();
    } catch (thrown) {
      const error = asGatewayError(thrown);
      if (!waitsFor.has(error.kind)) throw error;
      const backoff = Math.min(ASKED_AGAIN_MS_MAX, 1_000 * 2 ** (attempt - 1));
      const ms = error.retryAfterMs ?? backoff * (0.5 + outside.random() / 2);
      await outside.sleep(ms, halt.aborted ? leave : halt).catch(() => undefined);
    }
  }
}

/** A shutdown does not wait for the answer: a submitted batch is found again later. */
export async function timed<T>(
  { outside }: AskingParts,
  { leave }: Stops,
  work: (signal: AbortSignal) => Promise<T>,
): Promise<T> {
  const late = new GatewayError("timeout", "The provider's batch service did not answer in time.");
  const over = new Ending();
  const unfollow = over.follow(leave);
  const callOff = outside.alarm(CALL_MS, () => over.abort(late));
  try {
    return await unlessAborted(over, work(abortSignalOf(over)));
  } catch (thrown) {
    if (leave.aborted) throw new GatewayError("timeout", "The batch is left to another process.");
    throw thrown;
  } finally {
    callOff();
    unfollow();
  }
}
