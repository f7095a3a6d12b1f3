/**
 * The schema of what stands under `providers` in the routing file, as far as it is the gateway's own: each plugin has further keys.
 * A new key is a line here with its description, and one of `ConfiguredProvider`.
 */
import { Type } from "@sinclair/typebox";

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
        description: "Longest time one attempt may take.",
      }),
    ),
    retries: Type.Optional(
      Type.Integer({
        minimum: 0,
        maximum: 10,
        default: 2,
        description: "Further attempts after a failed one.",
      }),
    ),
    concurrency: Type.Optional(
      Type.Integer({
        minimum: 1,
        maximum: 100_000,
        description: "Calls under way at once at this provider.",
      }),
    ),
    max_queue: Type.Optional(
      Type.Integer({
        minimum: 1,
        maximum: 1_000_000,
        default: 10_000,
        description:
          "Calls that may wait for one of those places; with so many waiting, a further request is answered 503.",
      }),
    ),
    coalesce_ms: Type.Optional(
      Type.Integer({
        minimum: 0,
        maximum: 1000,
        description:
          "Requests for one input wait that long at most for others to go in one call with; 0: only those that come at once or have to wait for a place do. Left out: each goes alone.",
      }),
    ),
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
