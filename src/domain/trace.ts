/**
 * The interface for traces of requests and calls, and the map from a call's signal to its trace.
 * To add an attribute to a span, add a member here, and a line in src/tracing/spans.ts. Never a text, never a secret.
 */

/** The routing file's settings for traces. */
export interface TracingSettings {
  /** The complete URL for traces in OTLP/HTTP. */
  readonly url: string;
  readonly headers: Readonly<Record<string, string>>;
  /** The sampled share of traces that begin here; for other traces the caller's decision counts. */
  readonly sample: number;
  readonly serviceName: string;
}

export interface RequestTrace {
  /** Whether its spans are recorded. */
  readonly isSampled: boolean;
  /** @param others traces of the requests that share the call, which are linked in both directions */
  call(begun: CallBegun, others?: readonly RequestTrace[]): CallTrace;
  ended(end: RequestEnd): void;
}

/** Of a batch while a process works on it. Each call for its lines has a span; the lines have none of their own. */
export interface BatchTrace {
  /** One for all lines. */
  readonly lines: RequestTrace;
  ended(end: BatchEnd): void;
}

export interface BatchBegun {
  readonly id: string;
  readonly workspace: string;
  readonly lines: number;
}

export interface BatchEnd {
  readonly linesCompleted: number;
  readonly linesFailed: number;
  readonly tokens: number;
}

export interface CallBegun {
  /** The provider's name in the routing file. */
  readonly provider: string;
  /** The vendor's name in OpenTelemetry's conventions. */
  readonly system: string;
  /** The model's name there. */
  readonly model: string;
  readonly inputs: number;
  readonly encoding: string;
}

export interface RequestEnd {
  readonly status: number;
  /** The error's code; null if it was answered. */
  readonly error: string | null;
  readonly model: string;
  readonly workspace: string;
  readonly inputs: number;
  readonly cacheHits: number;
  readonly tokens: number;
  /** Left out if there is no vector. */
  readonly dimensions?: number | undefined;
  readonly encoding?: string | undefined;
}

export interface CallTrace {
  /** @returns headers with which the server continues this trace */
  sentTo(url: string): Readonly<Record<string, string>>;
  answered(status: number): void;
  /** @param model the reply's name for it; undefined if it has none @param dimensions of its vectors; undefined if there are none */
  replied(tokens: number, model: string | undefined, dimensions: number | undefined): void;
  /** @param error the kind of failure; undefined if there is none */
  ended(error?: string): void;
}

/** Plugins pass a call's signal to each of its HTTP requests, so that the signal identifies the call. */
const traces = new WeakMap<AbortSignal, CallTrace>();

export function traceBy(signal: AbortSignal, trace: CallTrace): void {
  traces.set(signal, trace);
}

export function traceOf(signal: AbortSignal): CallTrace | undefined {
  return traces.get(signal);
}
