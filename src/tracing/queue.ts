/**
 * A bounded queue of ended spans, sent to a collector in batches; no request waits for it.
 * The serializer decides the format of a batch.
 */
import type { Outside } from "../domain/outside";

export interface QueueParts<Span> {
  readonly outside: Pick<Outside, "fetch" | "log" | "alarm">;
  readonly url: string;
  readonly headers: Readonly<Record<string, string>>;
  readonly serialize: (spans: Span[]) => Uint8Array | undefined;
  /** Called with the number of dropped spans. */
  readonly dropped: (count: number) => void;
}

export interface SpanQueue<Span> {
  add(span: Span): void;
  /** Sends what there is, and accepts no more. Resolves within `ms`. */
  close(ms: number): Promise<void>;
}

const SPANS_MAX = 4_096;
const BATCH_MAX = 512;
const SEND_EVERY_MS = 2_000;
/** Backoff while the collector does not answer. */
const SEND_EVERY_MS_MAX = 60_000;
const WAIT_MS = 10_000;
/** Status codes that OTLP allows to retry. */
const RETRIED = new Set([429, 502, 503, 504]);

export function openSpanQueue<Span>({
  outside,
  url,
  headers,
  serialize,
  dropped,
}: QueueParts<Span>): SpanQueue<Span> {
  let waiting: Span[] = [];
  let isFailing = false;
  let pauseMs = SEND_EVERY_MS;
  let callOff: (() => void) | undefined;
  let sending: Promise<void> | undefined;
  let isClosed = false;

  function schedule(): void {
    if (callOff !== undefined || sending !== undefined || waiting.length === 0 || isClosed) return;
    callOff = outside.alarm(pauseMs, () => {
      callOff = undefined;
      void sendNow();
    });
  }

  function sendNow(): Promise<void> {
    callOff?.();
    callOff = undefined;
    sending ??= sendAll().finally(() => {
      sending = undefined;
      schedule();
    });
    return sending;
  }

  async function sendAll(): Promise<void> {
    while (waiting.length > 0) {
      const batch = waiting.slice(0, BATCH_MAX);
      const failure = await send(batch);
      if (failure?.isToRetry !== true) {
        waiting = waiting.slice(batch.length);
        if (failure) dropped(batch.length);
      }
      tell(failure?.reason);
      if (failure) return;
    }
  }

  async function send(batch: Span[]): Promise<{ reason: string; isToRetry: boolean } | undefined> {
    try {
      const answer = await outside.fetch(url, {
        method: "POST",
        headers: new Headers({ ...headers, "content-type": "application/json" }),
        body: new Uint8Array(serialize(batch) ?? []),
        signal: AbortSignal.timeout(WAIT_MS),
        // Following a redirect would send the headers to an unknown address.
        redirect: "manual",
      });
      await answer.arrayBuffer();
      if (answer.status >= 200 && answer.status < 300) return undefined;
      return { reason: `it answered ${answer.status}`, isToRetry: RETRIED.has(answer.status) };
    } catch (cause) {
      const code = cause instanceof Error && "code" in cause ? String(cause.code) : undefined;
      return { reason: code ?? (cause instanceof Error ? cause.name : "no answer"), isToRetry: true };
    }
  }

  /** One log line per change, however many batches there are. */
  function tell(reason: string | undefined): void {
    const isNow = reason !== undefined;
    pauseMs = isNow ? Math.min(SEND_EVERY_MS_MAX, pauseMs * 2) : SEND_EVERY_MS;
    if (isNow === isFailing) return;
    isFailing = isNow;
    if (isNow)
      outside.log("warn", "traces cannot be exported: further spans are dropped once the queue is full", {
        endpoint: new URL(url).origin,
        reason,
      });
    else outside.log("info", "traces are exported again", { endpoint: new URL(url).origin });
  }

  return {
    add(span) {
      if (isClosed || waiting.length >= SPANS_MAX) return dropped(1);
      waiting.push(span);
      if (waiting.length >= BATCH_MAX && !isFailing) void sendNow();
      else schedule();
    },
    async close(ms) {
      isClosed = true;
      if (waiting.length > 0) {
        const late = Promise.withResolvers<void>();
        const callOffWait = outside.alarm(ms, late.resolve);
        await Promise.race([flushed(), late.promise]);
        callOffWait();
      }
      callOff?.();
      if (waiting.length > 0) dropped(waiting.length);
      waiting = [];
    },
  };

  /** A batch may be in flight: what came after it is sent too. */
  async function flushed(): Promise<void> {
    await sending;
    if (waiting.length > 0) await sendNow();
  }
}
