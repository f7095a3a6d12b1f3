/**
 * The routing file's `server`: where the gateway listens, and settings for every request.
 * A new key is a line here with its description; sections.ts has rules about two keys.
 */
import { Type } from "@sinclair/typebox";
import { PolicyOverrides } from "../domain/policies";
import { PROCESSES_MAX } from "../machine/cores";
import { TlsSection } from "./schema-connection";
import { closed, DialectName, milliseconds } from "./schema-values";

export const ServerSection = Type.Object(
  {
    host: Type.Optional(
      Type.String({
        minLength: 1,
        default: "127.0.0.1",
        description: "Address to listen on. 0.0.0.0: all addresses.",
      }),
    ),
    port: Type.Optional(
      Type.Integer({ minimum: 1, maximum: 65535, default: 8080, description: "Port to listen on." }),
    ),
    dialect: Type.Optional(DialectName),
    policies: Type.Optional(PolicyOverrides),
    default_model: Type.Optional(
      Type.String({
        minLength: 1,
        maxLength: 512,
        description: "Model of requests that name none, for APIs that allow this.",
      }),
    ),
    cors: Type.Optional(
      Type.Object(
        {
          origins: Type.Array(
            Type.String({
              pattern: "^(\\*|[A-Za-z][A-Za-z0-9+.-]*://[^/\\s]+)$",
              description: "an origin, such as https://app.example.com, without a path or a slash at its end",
            }),
            {
              minItems: 1,
              description:
                'Allowed origins, such as https://app.example.com; "*" for all. While no API key is required, the gateway answers no pages of other sites.',
            },
          ),
        },
        {
          ...closed,
          description: "Web pages that may call the gateway from a browser (CORS). None without it.",
        },
      ),
    ),
    deadline_ms: Type.Optional(
      milliseconds("Deadline of a request, including all attempts.", 1, 3_600_000, 60_000),
    ),
    max_attempts: Type.Optional(
      Type.Integer({
        minimum: 1,
        maximum: 100,
        default: 4,
        description: "Maximum calls to providers for one part of a request, over all its routes.",
      }),
    ),
    max_concurrent_requests: Type.Optional(
      Type.Integer({
        minimum: 1,
        maximum: 1_000_000,
        default: 10_000,
        description:
          "Maximum requests in flight; further ones get 503 at once. Ten thousand with a few texts each use about 200 MB.",
      }),
    ),
    drain_ms: Type.Optional(
      milliseconds(
        "Graceful shutdown: time after SIGTERM in which /readyz is 503 and requests are still accepted, until load balancers have noticed. 0: none.",
        0,
        600_000,
        5_000,
      ),
    ),
    grace_ms: Type.Optional(
      milliseconds(
        "Graceful shutdown: time that requests in flight have to finish after drain_ms; the process ends within it.",
        0,
        600_000,
        20_000,
      ),
    ),
    idle_timeout_ms: Type.Optional(
      milliseconds(
        "Idle timeout: a connection without a request is closed after that time, in whole seconds.",
        1_000,
        // Bun's limit.
        255_000,
        75_000,
      ),
    ),
    send_timeout_ms: Type.Optional(
      milliseconds(
        "Send timeout: a client that does not read the next part of its answer, up to a megabyte, for this long is disconnected.",
        1_000,
        3_600_000,
        60_000,
      ),
    ),
    max_unsent_mb: Type.Optional(
      Type.Integer({
        minimum: 1,
        maximum: 1_048_576,
        description:
          "Memory for answers being sent, in MB; above it, clients that read nothing for a second are disconnected, the slowest first. Default: an eighth of the memory of the container or machine, at most 256.",
      }),
    ),
    max_body_memory_mb: Type.Optional(
      Type.Integer({
        minimum: 1,
        maximum: 1_048_576,
        description:
          "Memory for the bodies of requests in flight, in MB: once it is used up, the next request waits up to 10 s and then gets 503. One workspace may use three quarters; a larger body is refused. Default: a sixteenth of the memory of the container or machine, at most 1024.",
      }),
    ),
    tls: Type.Optional(TlsSection),
    processes: Type.Optional(
      Type.Union([Type.Literal("auto"), Type.Integer({ minimum: 1, maximum: PROCESSES_MAX })], {
        default: 1,
        description: "Processes that share the port. auto: one for each core.",
      }),
    ),
  },
  { ...closed, description: "The address, limits and timeouts of the gateway's server." },
);
