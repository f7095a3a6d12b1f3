/**
 * The schema of `providers` in the routing file, for the gateway's own keys: each plugin has further ones.
 * A new key is a line here with its description, and one of `ConfiguredProvider`.
 */
import { Type } from "@sinclair/typebox";
import { CONNECTION_KEYS } from "./schema-connection";

/** The gateway's own keys of a provider: they never reach the plugin. */
export const ProviderCommon = Type.Object(
  {
    plugin: Type.String({
      minLength: 1,
      description:
        "A bundled plugin's id, or the path of a plugin file, starting with . or /, relative to this file's folder.",
    }),
    timeout_ms: Type.Optional(
      Type.Integer({
        minimum: 1,
        maximum: 3_600_000,
        default: 30_000,
        description:
          "Timeout of one attempt. Default 120000 for servers that load models on demand. The first call to a model without another route may take until the deadline.",
      }),
    ),
    retries: Type.Optional(
      Type.Integer({
        minimum: 0,
        maximum: 10,
        default: 2,
        description: "Retries after a failed attempt, with exponential backoff.",
      }),
    ),
    concurrency: Type.Optional(
      Type.Integer({
        minimum: 1,
        maximum: 100_000,
        description: "Maximum calls in flight at this provider. Default: the plugin's.",
      }),
    ),
    max_queue: Type.Optional(
      Type.Integer({
        minimum: 1,
        maximum: 1_000_000,
        default: 10_000,
        description:
          "Maximum calls that queue for one of those slots, counted separately for requests with up to 8 inputs and for larger ones. While the queue is full, further requests get 503.",
      }),
    ),
    coalesce_ms: Type.Optional(
      Type.Integer({
        minimum: 0,
        maximum: 1000,
        description:
          "Batching: requests with one input wait up to this long to share a call with others. 0: only requests that arrive together, or queue for a slot, share one. Default: each is sent alone.",
      }),
    ),
    warm: Type.Optional(
      Type.Boolean({
        default: false,
        description:
          "true: warm-up. When the gateway starts, it sends one request for each model of this provider, so that it is loaded.",
      }),
    ),
    ...CONNECTION_KEYS,
    allow_fields: Type.Optional(
      Type.Array(Type.String({ minLength: 1, maxLength: 100 }), {
        maxItems: 100,
        description:
          "Request fields that callers may send although they change the server for all callers, such as keep_alive; each plugin has its own list.",
      }),
    ),
  },
  {
    // Open here: the other keys are the plugin's, whose own `options` schema refuses unknown ones.
    additionalProperties: true,
    description: "One account at one vendor, or one server.",
  },
);
