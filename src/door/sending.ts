/**
 * Answers being sent: an answer holds memory until its client has read it. A client that reads nothing for too long, or whose memory is needed
 * for other answers, is disconnected. Small answers are passed to Bun whole and are not counted; their connections have the
 * server's idle timeout (src/door/http.ts).
 */
import type { Metrics } from "../admin/metrics";
import type { EndSignal } from "../domain/ending";
import type { Outside } from "../domain/outside";
import { directStream, type Watch } from "../printing/direct-stream";
import type { Body } from "../request/printing";

export interface Sending {
  /**
   * The body for the server; its memory is counted from now on.
   * @param client the client that receives it
   */
  begin(body: string | Body, client: Client): Sent;
  /** The memory of all answers being sent, in bytes. */
  unsent(): number;
}

export type Sent = string | Uint8Array<ArrayBuffer> | ReadableStream<Uint8Array>;

export interface Client {
  /** Fires once the client has disconnected, or must be disconnected for another reason. */
  readonly gone: EndSignal;
  /** Whether the reader is a server, which copies what it cannot send at once. */
  readonly reader: "server" | "other";
  /** Called when the answer is counted; the returned function is called once it was sent, or never will be. */
  readonly keep?: () => () => void;
  /** The request's values for the log. */
  readonly requestId?: string;
}

export interface Limits {
  /** The longest time that a client may read nothing, in ms. */
  readonly send_timeout_ms: number;
  /** The memory limit for all answers being sent, in MB. */
  readonly max_unsent_mb: number;
}

/** Bun's send buffer; the headers take about a kilobyte of it. */
const GATHERED_BYTES = 12 * 1024;
/** Small compared with what a connection holds anyway, and enough for a query's answer: tracking when an answer was sent costs a tenth of the request. */
const COUNTED_BYTES = 64 * 1024;
/** A client that has read something within this time counts as reading: it is not disconnected to free memory. */
const READS_WITHIN_MS = 1_000;

interface Unsent {
  readonly bytes: number;
  readonly requestId: string | undefined;
  takenAt: number;
  cut(): void;
}

export function createSending(
  limits: () => Limits,
  metrics: Pick<Metrics, "answerCutOff">,
  { monotonic, alarm, log }: Pick<Outside, "monotonic" | "alarm" | "log">,
): Sending {
  /** The client that has read nothing for the longest comes first. */
  const all = new Set<Unsent>();
  let bytesOfAll = 0;
  let isLooking = false;

  function makeRoom(): void {
    const most = limits().max_unsent_mb * 2 ** 20;
    for (const unsent of all) {
      if (bytesOfAll <= most) return;
      if (monotonic() - unsent.takenAt < READS_WITHIN_MS) break;
      cutOff(unsent, "answers being sent use all of server.max_unsent_mb");
    }
    if (bytesOfAll <= most || isLooking) return;
    isLooking = true;
    alarm(READS_WITHIN_MS, () => {
      isLooking = false;
      makeRoom();
    });
  }

  function cutOff(unsent: Unsent, reason: string): void {
    const waited_ms = Math.round(monotonic() - unsent.takenAt);
    log("warn", "slow client disconnected: it did not read its answer", {
      request: unsent.requestId,
      reason,
      waited_ms,
      bytes: unsent.bytes,
    });
    metrics.answerCutOff();
    unsent.cut();
  }

  function watch(bytes: number, { gone, keep, requestId }: Client): Watch {
    const over = keep?.();
    const cutting = Promise.withResolvers<never>();
    cutting.promise.catch(() => undefined);
    // Bun ignores a rejection with undefined; it would print any other.
    const cut = () => {
      cutting.reject(undefined);
      leave();
    };
    const unsent: Unsent = { bytes, requestId, takenAt: monotonic(), cut };
    const tooLate = () => cutOff(unsent, "it read nothing for server.send_timeout_ms");
    let callOff = alarm(limits().send_timeout_ms, tooLate);
    const leave = () => {
      if (!all.delete(unsent)) return;
      bytesOfAll -= bytes;
      callOff();
      gone.removeEventListener("abort", cut);
      over?.();
    };
    all.add(unsent);
    bytesOfAll += bytes;
    if (gone.aborted) cut();
    else gone.addEventListener("abort", cut);
    makeRoom();
    return {
      cut: cutting.promise,
      taken() {
        if (!all.delete(unsent)) return;
        all.add(unsent);
        unsent.takenAt = monotonic();
        callOff();
        callOff = alarm(limits().send_timeout_ms, tooLate);
      },
      over: leave,
    };
  }

  return {
    begin(body, client) {
      if (typeof body === "object" && "stream" in body)
        return body.heldBytes === 0
          ? body.stream(client.reader)
          : body.stream(client.reader, watch(body.heldBytes, client));
      if (body.length < GATHERED_BYTES) return body;
      const bytes = typeof body === "string" ? new TextEncoder().encode(body) : body;
      return bytes.byteLength < COUNTED_BYTES
        ? inOneHead(bytes)
        : inOnePiece(bytes, watch(bytes.byteLength, client));
    },
    unsent: () => bytesOfAll,
  };
}

/**
 * For a later answer that is larger than its buffer, Bun sends every header separately, some fifty system calls; the headers
 * of a stream it sends in one. The answer is then chunked, without a length.
 */
function inOneHead(bytes: Uint8Array<ArrayBuffer>): ReadableStream<Uint8Array> {
  return directStream({
    pull(stream) {
      stream.write(bytes);
      stream.end();
    },
  });
}

/** As a stream too, which reports when it was sent. */
function inOnePiece(bytes: Uint8Array<ArrayBuffer>, watch: Watch): ReadableStream<Uint8Array> {
  return directStream({
    async pull(stream) {
      await Promise.race([stream.write(bytes), watch.cut]);
      watch.over();
      stream.close();
    },
    cancel: () => watch.over(),
  });
}
