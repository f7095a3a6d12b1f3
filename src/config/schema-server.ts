/**
 * The routing file's `server`: where the gateway listens, and what holds for every request.
 * A new key is a line here with its description; what rests on two keys at once is in sections.ts.
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
        description: "Model of a request that names none, for APIs whose requests may.",
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
                'Origins of the pages, such as https://app.example.com; "*" for all. While the gateway is open to callers without a key, no page of another site is answered.',
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
      milliseconds("Time limit of a request, all attempts included.", 1, 3_600_000, 60_000),
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
          "Requests in flight; one more is answered 503 at once. Ten thousand with a few texts each take some 200 MB.",
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
        // Bun takes no more.
        255_000,
        75_000,
      ),
    ),
    send_timeout_ms: Type.Optional(
      milliseconds(
        "Longest time that a client may leave the next part of its answer, up to a megabyte, untaken; then it is cut off.",
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
          "Memory for answers that are being sent, in MB; above it, clients that have taken nothing for a second are cut off, those that wait longest first. Left out: an eighth of the memory that the container or machine has, 256 at most.",
      }),
    ),
    max_body_memory_mb: Type.Optional(
      Type.Integer({
        minimum: 1,
        maximum: 1_048_576,
        description:
          "Memory for the bodies of requests in flight, in MB: the next one waits up to 10 s, then it is answered 503. One workspace may hold three quarters; no body may be larger. Left out: a sixteenth of the memory that the container or machine has, 1024 at most.",
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
  { ...closed, description: "Where and how the gateway listens." },
);
