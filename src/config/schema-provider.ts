/**
 * The schema of what stands under `providers` in the routing file, as far as it is the gateway's own: each plugin has further keys.
 * A new key is a line here with its description, and one of `ConfiguredProvider`.
 */
import { Type } from "@sinclair/typebox";
import { CONNECTION_KEYS } from "./schema-connection";

/** The keys of a provider that are the gateway's own: they never reach the plugin. */
export const ProviderCommon = Type.Object(
  {
    plugin: Type.String({
      minLength: 1,
      description:
        "A bundled plugin's id, or the path of a plugin file, starting with . or /, from this file's folder.",
    }),
    timeout_ms: Type.Optional(
      Type.Integer({
        minimum: 1,
        maximum: 3_600_000,
        default: 30_000,
        description:
          "Time limit of one attempt. Plugins for servers that load models when they are asked have 120000. The first call to a model that nobody else serves is waited for up to the deadline.",
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
        description: "Calls in flight at this provider. Left out: the plugin's own number.",
      }),
    ),
    max_queue: Type.Optional(
      Type.Integer({
        minimum: 1,
        maximum: 1_000_000,
        default: 10_000,
        description:
          "Calls that may queue for one of those slots, counted apart for requests with up to 8 inputs and for larger ones. While the queue is full, a further request is answered 503.",
      }),
    ),
    coalesce_ms: Type.Optional(
      Type.Integer({
        minimum: 0,
        maximum: 1000,
        description:
          "Requests with one input wait up to this long to share a call with others. 0: only requests that arrive together, or queue for a slot, share one. Left out: each goes alone.",
      }),
    ),
    warm: Type.Optional(
      Type.Boolean({
        default: false,
        description:
          "true: each model of this provider is asked once when the gateway starts, so that it is loaded.",
      }),
    ),
    ...CONNECTION_KEYS,
    allow_fields: Type.Optional(
      Type.Array(Type.String({ minLength: 1, maxLength: 100 }), {
        maxItems: 100,
        description:
          "Fields that callers may send although they change the server for everybody, such as keep_alive; each plugin has its own.",
      }),
    ),
  },
  {
    // Open here: the other keys are the plugin's, and its own `options` schema refuses what it does not know.
    additionalProperties: true,
    description: "One account at one vendor, or one server.",
  },
);
