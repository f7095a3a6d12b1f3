/**
 * The routing file's `log` and `tracing`. Metrics need no key.
 * A new key is a line here with its description, and one of `logOf` or `tracingOf`.
 */
import { type Static, Type } from "@sinclair/typebox";
import type { LogSettings } from "../domain/outside";
import type { TracingSettings } from "../domain/trace";
import { closed } from "./schema-values";

export const LogSection = Type.Object(
  {
    level: Type.Optional(
      Type.Union([Type.Literal("info"), Type.Literal("warn"), Type.Literal("error")], {
        default: "info",
        description: "The least important lines that are written.",
      }),
    ),
    format: Type.Optional(
      Type.Union([Type.Literal("auto"), Type.Literal("json"), Type.Literal("pretty")], {
        default: "auto",
        description:
          "json: one JSON object a line. pretty: for people. auto: pretty on a terminal, else json.",
      }),
    ),
    requests: Type.Optional(
      Type.Boolean({
        default: false,
        description: "true: a line for each answered request as well. Failed requests always have one.",
      }),
    ),
  },
  { ...closed, description: "The log, on standard error. A reload changes it." },
);

export const TracingSection = Type.Object(
  {
    endpoint: Type.String({
      pattern: "^https?://[^\\s]+$",
      expected: "a URL, such as http://localhost:4318",
      description:
        "URL of a collector that takes OTLP over HTTP (JSON). Without a path, /v1/traces is added to it.",
    }),
    headers: Type.Optional(
      Type.Record(
        Type.String({ pattern: "^[A-Za-z0-9!#$%&'*+.^_`|~-]+$" }),
        Type.String({ isSecret: true }),
        {
          description: "Headers sent with every export, such as { authorization: Bearer ${OTLP_TOKEN} }.",
        },
      ),
    ),
    sample: Type.Optional(
      Type.Number({
        minimum: 0,
        maximum: 1,
        default: 1,
        description:
          "Share of requests that are traced. A request with a `traceparent` header is traced if its caller traces it.",
      }),
    ),
    service_name: Type.Optional(
      Type.String({
        minLength: 1,
        maxLength: 200,
        default: "embedgate",
        description: "The `service.name` of the traces.",
      }),
    ),
  },
  { ...closed, description: "OpenTelemetry traces. Without it there are none." },
);

export function logOf(section: Static<typeof LogSection> = {}): LogSettings {
  const { level, format, requests } = LogSection.properties;
  return {
    level: section.level ?? level.default,
    format: section.format ?? format.default,
    requests: section.requests ?? requests.default,
  };
}

export function tracingOf(section: Static<typeof TracingSection> | undefined): TracingSettings | undefined {
  // checkTracing reports an invalid URL, which never gets here.
  const url = section && URL.parse(section.endpoint);
  if (!section || !url) return undefined;
  if (url.pathname === "/") url.pathname = "/v1/traces";
  const { sample, service_name } = TracingSection.properties;
  return {
    url: url.href,
    headers: section.headers ?? {},
    sample: section.sample ?? sample.default,
    serviceName: section.service_name ?? service_name.default,
  };
}
