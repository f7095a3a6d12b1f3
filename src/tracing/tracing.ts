/**
 * Tracing, on or off: if it is off, nothing of OpenTelemetry is loaded and a request only reads one undefined member.
 * A reload turns it on, off or to another collector; a started trace ends with the collector it began with.
 */
import { isDeepStrictEqual } from "node:util";
import type { TracingSettings } from "../domain/trace";
import type { Spans, SpansParts } from "./spans";

export interface Tracing {
  /** undefined: off. */
  current(): Spans | undefined;
  /** @returns resolves once these settings apply */
  apply(settings: TracingSettings | undefined): Promise<void>;
  /** Sends the remaining spans, within a time limit. */
  close(): Promise<void>;
}

/** For the spans of an earlier configuration. */
const LEAVING_MS = 5_000;
/** At a graceful shutdown, for the remaining spans. */
const ENDING_MS = 2_000;

export function createTracing(parts: Omit<SpansParts, "settings">): Tracing {
  let spans: Spans | undefined;
  let settled: TracingSettings | undefined;
  let turn = Promise.resolve();

  async function change(settings: TracingSettings | undefined): Promise<void> {
    if (isDeepStrictEqual(settled, settings)) return;
    const replaced = spans;
    settled = settings;
    spans = settings && (await import("./spans")).openSpans({ ...parts, settings });
    await replaced?.close(LEAVING_MS);
  }

  return {
    current: () => spans,
    apply(settings) {
      turn = turn
        .then(() => change(settings))
        .catch((cause: unknown) =>
          parts.outside.log("error", "traces could not be turned on", { cause: String(cause) }),
        );
      return turn;
    },
    async close() {
      await turn;
      const last = spans;
      spans = undefined;
      await last?.close(ENDING_MS);
    },
  };
}
