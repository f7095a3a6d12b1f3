/**
 * Traces, on or off: off, nothing of OpenTelemetry is loaded and a request asks for one member that is undefined.
 * A reload turns them on, off or to another collector; a begun trace ends where it began.
 */
import { isDeepStrictEqual } from "node:util";
import type { TracingSettings } from "../domain/trace";
import type { Spans, SpansParts } from "./spans";

export interface Tracing {
  /** Undefined: off. */
  current(): Spans | undefined;
  /** @returns once they are begun by these settings */
  apply(settings: TracingSettings | undefined): Promise<void>;
  /** Sends the remaining spans, within a time limit. */
  close(): Promise<void>;
}

/** For what an earlier configuration has left. */
const LEAVING_MS = 5_000;
/** At a graceful shutdown, for the collector to take what is left. */
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
