/**
 * What is told of a request for its trace, and by which call a provider's request belongs to one. Types, and the one place that remembers it.
 * A new attribute of a span is a member here, and a line in src/tracing/spans.ts. Never a text, never a secret.
 */

/** How the routing file wants traces. */
export interface TracingSettings {
  /** Where OTLP/HTTP is taken: the whole URL of traces. */
  readonly url: string;
  readonly headers: Readonly<Record<string, string>>;
  /** Share of the traces that begin here; others are sampled as their caller decided. */
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
  /** Whose API it is, as OpenTelemetry calls it. */
  readonly system: string;
  /** The model's name there. */
  readonly model: string;
  readonly inputs: number;
  readonly encoding: string;
}

export interface RequestEnd {
  readonly status: number;
  /** An error's code; null: answered. */
  readonly error: string | null;
  readonly model: string;
  readonly workspace: string;
  readonly inputs: number;
  readonly cacheHits: number;
  readonly tokens: number;
  /** Left out: there is no vector. */
  readonly dimensions?: number | undefined;
  readonly encoding?: string | undefined;
}

export interface CallTrace {
  /** @returns headers by which the server's own trace goes on from this one */
  sentTo(url: string): Readonly<Record<string, string>>;
  answered(status: number): void;
  counted(tokens: number): void;
  /** @param error the kind of failure; undefined: there is none */
  ended(error?: string): void;
}

/** Plugins hand on a call's signal with all that they send for it: it says whose call that is. */
const traces = new WeakMap<AbortSignal, CallTrace>();

export function traceBy(signal: AbortSignal, trace: CallTrace): void {
  traces.set(signal, trace);
}

export function traceOf(signal: AbortSignal): CallTrace | undefined {
  return traces.get(signal);
}
