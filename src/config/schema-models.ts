/**
 * The routing file's `models`: what clients may request, and by which routes.
 * A new key is a line here with its description; models.ts has rules about two keys.
 */
import { type Static, Type } from "@sinclair/typebox";
import { KnownFacts } from "../domain/facts";
import { AgreementMin, OnDrift, UnmeasuredOfModel } from "./schema-spaces";
import { closed } from "./schema-values";

export const RouteEntry = Type.Object(
  {
    provider: Type.String({ minLength: 1, description: "A name under `providers`." }),
    model: Type.Optional(
      Type.String({
        minLength: 1,
        maxLength: 256,
        description:
          "The model's name at the provider, where it differs. Under a pattern, * is what the pattern's * matched.",
      }),
    ),
    space: Type.Optional(
      Type.String({
        minLength: 1,
        maxLength: 256,
        description: "The embedding space of this route's vectors.",
      }),
    ),
    weight: Type.Optional(
      Type.Number({
        minimum: 0,
        maximum: 1_000_000,
        description:
          "Share of the requests among consecutive routes with weights. 0: only as a fallback. Default: routes are tried in order.",
      }),
    ),
    price: Type.Optional(
      Type.Number({
        minimum: 0,
        maximum: 1000,
        description:
          "USD per million input tokens that this provider charges, for 'usage --by provider'. Default: the model's price. Workspaces pay the model's `price`; where it has none, the first route's.",
      }),
    ),
    batch: Type.Optional(
      Type.Union([Type.Literal("gateway"), Type.Literal("upstream")], {
        default: "gateway",
        description:
          "How requests of batches (/v1/batches) are sent to this provider. gateway: as calls in the bulk lane. upstream: through the provider's own batch service, which is cheaper and takes up to a day; only on a model's first route.",
      }),
    ),
    batch_price: Type.Optional(
      Type.Number({
        minimum: 0,
        maximum: 1000,
        description:
          "With `batch: upstream`: USD per million input tokens that the provider charges and workspaces pay for requests of batches. Default: the usual price.",
      }),
    ),
  },
  { ...closed, description: "A provider that serves the model." },
);

export const ModelEntry = Type.Composite(
  [
    Type.Object({
      routes: Type.Optional(
        Type.Array(RouteEntry, {
          minItems: 1,
          maxItems: 100,
          description: "Providers that serve the model, tried in order; all in one embedding space.",
        }),
      ),
      alias_of: Type.Optional(
        Type.String({
          minLength: 1,
          description: "Another model's id: this one is an alias of it.",
        }),
      ),
      space: Type.Optional(
        Type.String({
          minLength: 1,
          maxLength: 256,
          description: "The embedding space of the model's vectors.",
        }),
      ),
      on_drift: Type.Optional(OnDrift),
      warm: Type.Optional(
        Type.Boolean({
          default: false,
          description:
            "true: warm-up. When the gateway starts, it sends one request to each of the model's providers, so that the model is loaded.",
        }),
      ),
      agreement_min: Type.Optional(AgreementMin),
      unmeasured: Type.Optional(UnmeasuredOfModel),
      hedge_after_ms: Type.Optional(
        Type.Integer({
          minimum: 1,
          maximum: 3_600_000,
          description:
            "Hedging: a request with one input that has no answer by then is also sent to another route (or to the same, if there is no other). The first valid answer wins; the provider may charge for both. Default: never.",
        }),
      ),
      embeddings: Type.Optional(
        Type.Boolean({ default: true, description: "false: the model is known, but cannot embed." }),
      ),
    }),
    KnownFacts,
  ],
  {
    ...closed,
    description: "A model that clients may request. Settings left out come from the catalogue.",
  },
);

export type RouteEntry = Static<typeof RouteEntry>;
export type ModelEntry = Static<typeof ModelEntry>;
