/**
 * /admin/v1/models: the routing file's models with sizes, limits, prices, space and end of life; the same as `embedgate models`.
 */
import { type Static, Type } from "@sinclair/typebox";
import { GatewayError } from "../../domain/errors";
import { DimensionsAllowed, LongInput, type ModelFacts } from "../../domain/facts";
import { stageOf } from "../../routes/lifecycle";
import { type AdminPath, adminPath, type Named, NO_BODY } from "./admin-path";
import { neighboursOf } from "./neighbours";
import type { AdminParts } from "./parts";
import { Neighbours } from "./spaces";
import { OrNull } from "./values";

const Limit = (description: string) => OrNull(Type.Integer({ minimum: 1, description }));

const Model = Type.Object({
  model: Type.String({ description: "Its id, or a pattern." }),
  kind: Type.Union(
    [
      Type.Literal("model"),
      Type.Literal("pattern"),
      Type.Literal("alias"),
      Type.Literal("cannot_embed"),
      Type.Literal("not_configured"),
    ],
    { description: "not_configured: none of its providers is." },
  ),
  alias_of: OrNull(Type.String()),
  dimensions: Limit("Of a vector, unless a request asks for another size."),
  dimensions_allowed: OrNull(DimensionsAllowed),
  max_inputs: Limit("Inputs in one call to the provider."),
  max_input_tokens: Limit("Tokens in one input."),
  max_call_tokens: Limit("Tokens in one call to the provider."),
  long_input: OrNull(LongInput),
  task_types: Type.Array(Type.String()),
  price_usd_per_million_tokens: OrNull(
    Type.Number({ description: "The price for callers, before the markup." }),
  ),
  space: OrNull(Type.String({ description: "The embedding space of its vectors, if it was measured." })),
  space_is_verified: Type.Boolean({ description: "false: one of several routes alone has said so." }),
  neighbours: Neighbours,
  end_of_life: OrNull(
    Type.String({ description: "The first day on which the provider may no longer serve it." }),
  ),
  end_of_life_days: OrNull(Type.Integer({ description: "Until then; below 0: since." })),
  end_of_life_stage: Type.Union([Type.Literal("active"), Type.Literal("ending"), Type.Literal("ended")], {
    description: "ending: within half a year.",
  }),
  routes: Type.Array(
    Type.Object({
      provider: Type.String({ description: "Its name in the routing file." }),
      upstream_model: Type.String({ description: "The model's name there." }),
      weight: OrNull(Type.Number({ description: "Null: routes are tried in order." })),
      price_usd_per_million_tokens: OrNull(Type.Number({ description: "The provider's price." })),
      missing_variables: Type.Array(Type.String(), {
        description: "Not set, so the provider is not configured.",
      }),
    }),
  ),
});
type Model = Static<typeof Model>;

const MODEL: Model = {
  model: "text-embedding-3-small",
  kind: "model",
  alias_of: null,
  dimensions: 1536,
  dimensions_allowed: { min: 1, max: 1536 },
  max_inputs: 2048,
  max_input_tokens: 8191,
  max_call_tokens: 300_000,
  long_input: "reject",
  task_types: [],
  price_usd_per_million_tokens: 0.02,
  space: "text-embedding-3-small",
  space_is_verified: true,
  neighbours: [],
  end_of_life: null,
  end_of_life_days: null,
  end_of_life_stage: "active",
  routes: [
    {
      provider: "openai",
      upstream_model: "text-embedding-3-small",
      weight: null,
      price_usd_per_million_tokens: 0.02,
      missing_variables: [],
    },
  ],
};

const ModelList = {
  name: "AdminModels",
  schema: Type.Object({ models: Type.Array(Model) }, { examples: [{ models: [MODEL] }] }),
} satisfies Named;

const OneModel = {
  name: "AdminModel",
  schema: Type.Object({ model: Model }, { examples: [{ model: MODEL }] }),
} satisfies Named;

const DAY_MS = 86_400_000;

function ofFacts(facts: ModelFacts | undefined, now: number) {
  const { end_of_life = null } = facts ?? {};
  return {
    dimensions: facts?.dimensions ?? null,
    dimensions_allowed: facts?.dimensions_allowed ?? null,
    max_inputs: facts?.max_inputs ?? null,
    max_input_tokens: facts?.max_input_tokens ?? null,
    max_call_tokens: facts?.max_call_tokens ?? null,
    long_input: facts?.long_input ?? null,
    task_types: [...(facts?.task_types ?? [])],
    price_usd_per_million_tokens: facts?.price ?? null,
    end_of_life,
    end_of_life_days:
      end_of_life === null ? null : Math.ceil((Date.parse(`${end_of_life}T00:00:00Z`) - now) / DAY_MS),
    end_of_life_stage: facts === undefined ? ("active" as const) : stageOf(facts, now),
  };
}

function modelsOf(parts: AdminParts): Model[] {
  const { config, routes, outside, fingerprints, spaceOf } = parts;
  const { models, providers } = config();
  const now = outside.now();
  const named = new Map(
    routes()
      .named()
      .map((route) => [route.id, route]),
  );
  const measured = fingerprints().list();
  return [...models.values()].map(({ id, alias_of, embeddings, routes: ways }): Model => {
    const route = named.get(id);
    const place = route && spaceOf(route);
    const own = place && measured.find(({ space }) => space === place.space);
    const kind =
      alias_of !== undefined
        ? "alias"
        : !embeddings
          ? "cannot_embed"
          : id.includes("*")
            ? "pattern"
            : route
              ? "model"
              : "not_configured";
    return {
      model: id,
      kind,
      alias_of: alias_of ?? null,
      ...ofFacts(route?.facts, now),
      space: place?.space ?? null,
      space_is_verified: place?.isVerified ?? false,
      neighbours: own ? neighboursOf(own, measured) : [],
      routes: ways.map(({ provider, model, weight, price }) => {
        const target = route?.targets.find((one) => one.provider.name === provider && one.model === model);
        return {
          provider,
          upstream_model: model,
          weight: weight ?? null,
          price_usd_per_million_tokens: target?.costPrice ?? price ?? null,
          missing_variables: [...(providers.get(provider)?.missing_variables ?? [])],
        };
      }),
    };
  });
}

export const MODEL_PATHS: readonly AdminPath[] = [
  adminPath({
    method: "GET",
    path: "/models",
    operationId: "adminListModels",
    summary: "List the models of the routing file",
    query: {},
    request: NO_BODY,
    answer: ModelList,
    work: (_, parts) => ({ models: modelsOf(parts) }),
  }),
  adminPath({
    method: "GET",
    path: "/models/{model}",
    operationId: "adminShowModel",
    summary: "Show one model of the routing file",
    query: {},
    request: NO_BODY,
    answer: OneModel,
    work({ param }, parts) {
      const model = modelsOf(parts).find((one) => one.model === param("model"));
      if (model) return { model };
      throw new GatewayError(
        "unknown_resource",
        `The routing file has no model '${param("model").slice(0, 200)}'.`,
        { field: "model" },
      );
    },
  }),
];

export type AdminModels = Static<typeof ModelList.schema>;

export const MODEL_SCHEMAS: readonly Named[] = [ModelList, OneModel];
