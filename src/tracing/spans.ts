/**
 * Requests and calls as OpenTelemetry's spans, with the attributes of its conventions for generative AI
 * (https://opentelemetry.io/docs/specs/semconv/gen-ai/). Loaded only if the routing file has `tracing`.
 * A new attribute is a line here, and a member in src/domain/trace.ts. Never a text, never a secret.
 */
import {
  type Attributes,
  type Context,
  ROOT_CONTEXT,
  type Span,
  SpanKind,
  SpanStatusCode,
  trace,
} from "@opentelemetry/api";
import { W3CTraceContextPropagator } from "@opentelemetry/core";
import { JsonTraceSerializer } from "@opentelemetry/otlp-transformer";
import { resourceFromAttributes } from "@opentelemetry/resources";
import {
  ParentBasedSampler,
  type ReadableSpan,
  TraceIdRatioBasedSampler,
  TracerProvider,
} from "@opentelemetry/sdk-trace";
import type { Outside } from "../domain/outside";
import type {
  BatchBegun,
  BatchTrace,
  CallBegun,
  CallTrace,
  RequestTrace,
  TracingSettings,
} from "../domain/trace";
import { openSpanQueue } from "./queue";

export interface SpansParts {
  readonly settings: TracingSettings;
  readonly outside: Pick<Outside, "now" | "randomBytes" | "fetch" | "log" | "alarm">;
  readonly version: string;
  /** The process's own name among several. */
  readonly process: string | null;
  readonly dropped: (count: number) => void;
}

export interface Spans {
  begin(request: Pick<Request, "headers" | "method" | "url">, requestId: string): RequestTrace;
  beginBatch(batch: BatchBegun): BatchTrace;
  close(ms: number): Promise<void>;
}

const OPERATION = "embeddings";
/** The provider that the caller asked, by the conventions; calls have the vendor. */
const OWN_NAME = "embedgate";
/** Names from callers are cut to this length. */
const TEXT_MAX = 200;
const TRACE_BYTES = 16;
const SPAN_BYTES = 8;

export function openSpans({ settings, outside, version, process, dropped }: SpansParts): Spans {
  const queue = openSpanQueue<ReadableSpan>({
    outside,
    url: settings.url,
    headers: settings.headers,
    serialize: (spans) => JsonTraceSerializer.serializeRequest(spans),
    dropped,
  });
  const tracer = new TracerProvider({
    resource: resourceFromAttributes({
      "service.name": settings.serviceName,
      "service.version": version,
      ...(process !== null && { "service.instance.id": process }),
    }),
    sampler: new ParentBasedSampler({ root: new TraceIdRatioBasedSampler(settings.sample) }),
    idGenerator: {
      generateTraceId: () => outside.randomBytes(TRACE_BYTES).toHex(),
      generateSpanId: () => outside.randomBytes(SPAN_BYTES).toHex(),
    },
    spanLimits: { attributeValueLengthLimit: TEXT_MAX },
    spanProcessors: [
      {
        onStart: () => undefined,
        onEnd: queue.add,
        forceFlush: async () => undefined,
        shutdown: async () => undefined,
      },
    ],
  }).getTracer(OWN_NAME, version);
  const propagator = new W3CTraceContextPropagator();
  const since = (name: string, kind: SpanKind, attributes: Attributes, within: Context) =>
    tracer.startSpan(name, { kind, attributes, startTime: outside.now() }, within);

  function begunCall(span: Span, context: Context): CallTrace {
    const headers: Record<string, string> = {};
    propagator.inject(context, headers, {
      set: (carrier, name, value) => Object.assign(carrier, { [name]: value }),
    });
    return {
      sentTo(url) {
        const { hostname, port, protocol } = new URL(url);
        span.setAttributes({
          "server.address": hostname,
          "server.port": Number(port) || (protocol === "https:" ? 443 : 80),
        });
        return headers;
      },
      answered: (status) => void span.setAttribute("http.response.status_code", status),
      replied: (tokens, model, dimensions) =>
        void span.setAttributes({
          "gen_ai.usage.input_tokens": tokens,
          ...(model !== undefined && { "gen_ai.response.model": model }),
          ...(dimensions !== undefined && { "gen_ai.embeddings.dimension.count": dimensions }),
        }),
      ended(error) {
        fail(span, error);
        span.end(outside.now());
      },
    };
  }

  /** Spans by their traces, to link the requests that share a call. */
  const spanOf = new WeakMap<RequestTrace, Span>();

  /** @param work the request's or the batch's own span */
  function callWithin(
    work: Span,
    context: Context,
    { provider, system, model, inputs, encoding }: CallBegun,
    others: readonly RequestTrace[],
  ): CallTrace {
    const call = since(
      `${OPERATION} ${model}`.slice(0, TEXT_MAX),
      SpanKind.CLIENT,
      {
        "gen_ai.operation.name": OPERATION,
        "gen_ai.provider.name": system,
        "gen_ai.request.model": model,
        "gen_ai.request.encoding_formats": [encoding],
        "embedgate.provider": provider,
        "embedgate.inputs": inputs,
      },
      context,
    );
    const linked = new Set(others.flatMap((other) => spanOf.get(other) ?? []));
    for (const other of linked) {
      if (other === work) continue;
      call.addLink({ context: other.spanContext() });
      other.addLink({ context: call.spanContext() });
    }
    return begunCall(call, trace.setSpan(context, call));
  }

  return {
    begin({ headers, method, url }, requestId) {
      const from = propagator.extract(ROOT_CONTEXT, headers, {
        get: (carrier, name) => carrier.get(name) ?? undefined,
        keys: (carrier) => [...carrier.keys()],
      });
      const address = URL.parse(url);
      const span = since(
        OPERATION,
        SpanKind.SERVER,
        {
          "gen_ai.operation.name": OPERATION,
          "gen_ai.provider.name": OWN_NAME,
          "http.request.method": method,
          "url.path": address?.pathname ?? "",
          "url.scheme": address?.protocol.slice(0, -1) ?? "",
          "embedgate.request.id": requestId,
        },
        from,
      );
      const context = trace.setSpan(from, span);
      const begun: RequestTrace = {
        isSampled: span.isRecording(),
        call: (call, others = []) => callWithin(span, context, call, others),
        ended({ status, error, model, workspace, inputs, cacheHits, tokens, dimensions, encoding }) {
          if (model !== "") span.updateName(`${OPERATION} ${model}`.slice(0, TEXT_MAX));
          span.setAttributes({
            "gen_ai.request.model": model,
            "gen_ai.usage.input_tokens": tokens,
            ...(dimensions !== undefined && { "gen_ai.embeddings.dimension.count": dimensions }),
            ...(encoding !== undefined && { "gen_ai.request.encoding_formats": [encoding] }),
            "http.response.status_code": status,
            "embedgate.workspace": workspace,
            "embedgate.inputs": inputs,
            "embedgate.cache_hits": cacheHits,
          });
          // By the conventions for HTTP, a client's error is not a failure of the server's span.
          fail(span, error ?? undefined, status >= 500);
          span.end(outside.now());
        },
      };
      spanOf.set(begun, span);
      return begun;
    },
    beginBatch({ id, workspace, lines }) {
      const span = since(
        "batch",
        SpanKind.INTERNAL,
        {
          "gen_ai.operation.name": OPERATION,
          "gen_ai.provider.name": OWN_NAME,
          "embedgate.batch.id": id,
          "embedgate.batch.lines": lines,
          "embedgate.workspace": workspace,
        },
        ROOT_CONTEXT,
      );
      const context = trace.setSpan(ROOT_CONTEXT, span);
      const begun: RequestTrace = {
        isSampled: span.isRecording(),
        call: (call, others = []) => callWithin(span, context, call, others),
        ended: () => undefined,
      };
      spanOf.set(begun, span);
      return {
        lines: begun,
        ended({ linesCompleted, linesFailed, tokens }) {
          span.setAttributes({
            "embedgate.batch.lines_completed": linesCompleted,
            "embedgate.batch.lines_failed": linesFailed,
            "gen_ai.usage.input_tokens": tokens,
          });
          span.end(outside.now());
        },
      };
    },
    close: queue.close,
  };
}

function fail(span: Span, error: string | undefined, isOurs = true): void {
  if (error === undefined) return;
  span.setAttribute("error.type", error);
  if (isOurs) span.setStatus({ code: SpanStatusCode.ERROR });
}
