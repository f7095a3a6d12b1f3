/**
 * OpenAI's answers as TypeBox schemas, with additions by a dialect's policies, for the types and the OpenAPI document.
 * Source: openai/openai-openapi. The request is in openai-request.ts.
 */
import { Type } from "@sinclair/typebox";
import { ERROR_KINDS, GatewayError } from "../domain/errors";
import { DimensionsAllowed } from "../domain/facts";
import type { Policies } from "../domain/policies";
import { embeddingsRequest } from "./openai-request";
import { wordingOf } from "./wording";

const described = (description: string) => ({ description });

const TOKENS = {
  prompt_tokens: Type.Integer({ minimum: 0 }),
  total_tokens: Type.Integer({ minimum: 0, ...described("Always equal to prompt_tokens.") }),
};

const CREDITS = {
  credits_used: Type.Integer({ minimum: 0, ...described("What the request cost, in micro-credits.") }),
  credits_remaining: Type.Union([Type.Integer({ minimum: 0 }), Type.Null()], {
    ...described("Credits left, in micro-credits; null without a limit."),
  }),
};

export const EmbeddingsResponse = Type.Object(
  {
    object: Type.Literal("list"),
    data: Type.Array(
      Type.Object({
        object: Type.Literal("embedding"),
        index: Type.Integer({
          minimum: 0,
          ...described("Index of the input that this embedding belongs to."),
        }),
        embedding: Type.Union([Type.Array(Type.Number()), Type.String({ contentEncoding: "base64" })], {
          ...described("Numbers, or base64 of little-endian float32, as `encoding_format` asked."),
        }),
      }),
      described("One embedding for each input, in the order of the inputs."),
    ),
    model: Type.String(described("The id that was asked for.")),
    usage: Type.Object(TOKENS),
  },
  {
    examples: [
      {
        object: "list",
        data: [{ object: "embedding", index: 0, embedding: [0.0183, -0.0411, 0.0292] }],
        model: "all-MiniLM-L6-v2",
        usage: { prompt_tokens: 4, total_tokens: 4 },
      },
    ],
  },
);

const nullableString = Type.Union([Type.String(), Type.Null()]);

export const ErrorResponse = Type.Object(
  {
    error: Type.Object({
      message: Type.String(described("What was wrong and what to do.")),
      type: Type.String(),
      param: nullableString,
      code: nullableString,
    }),
  },
  {
    examples: [
      {
        error: {
          message: "'input[17]' is an empty string: it must have at least one character.",
          type: "invalid_request_error",
          param: "input[17]",
          code: null,
        },
      },
    ],
  },
);

export const Model = Type.Object(
  {
    id: Type.String(),
    object: Type.Literal("model"),
    created: Type.Integer(described("Seconds since 1970; the gateway's start.")),
    owned_by: Type.String(described("The provider, by its name in the routing file.")),
    embeddings: Type.Boolean(described("false: registered, but it cannot embed.")),
    embedding_space: Type.Union([Type.String(), Type.Null()], {
      ...described(
        "The embedding space of its vectors: vectors of one space can be compared with each other.",
      ),
    }),
    dimensions: Type.Union([Type.Integer(), Type.Null()]),
    dimensions_allowed: Type.Union([DimensionsAllowed, Type.Null()]),
    max_input_tokens: Type.Union([Type.Integer(), Type.Null()]),
    max_call_inputs: Type.Union([Type.Integer(), Type.Null()], {
      ...described("The provider's limit per call, here and below: the gateway splits larger requests."),
    }),
    max_call_tokens: Type.Union([Type.Integer(), Type.Null()]),
    max_call_bytes: Type.Union([Type.Integer(), Type.Null()]),
    task_types: Type.Union([Type.Array(Type.String()), Type.Null()], {
      ...described("Tasks that the model distinguishes; null: those of its provider."),
    }),
    price_usd_per_million_tokens: Type.Union([Type.Number(), Type.Null()]),
    lifecycle: Type.Union([Type.Literal("active"), Type.Literal("ending"), Type.Literal("ended")], {
      ...described("ending: within half a year of its end of life. ended: past it, and still routed."),
    }),
    end_of_life: Type.Union([Type.String(), Type.Null()], {
      ...described("The first day (UTC) on which the provider may no longer serve it. null: none is known."),
    }),
  },
  {
    examples: [
      {
        id: "all-MiniLM-L6-v2",
        object: "model",
        created: 1780000000,
        owned_by: "local",
        embeddings: true,
        embedding_space: "all-MiniLM-L6-v2",
        dimensions: 384,
        dimensions_allowed: null,
        max_input_tokens: 254,
        max_call_inputs: 2048,
        max_call_tokens: null,
        max_call_bytes: null,
        task_types: null,
        price_usd_per_million_tokens: 0,
        lifecycle: "active",
        end_of_life: null,
      },
    ],
  },
);

export const ModelList = Type.Object({
  object: Type.Literal("list"),
  data: Type.Array(Type.Ref("#/components/schemas/Model")),
});

/** Additional members of a list with features: clients use them to tell embedding models from chat models. */
const FEATURES = {
  supported_features: Type.Array(Type.String(), described('Holds "embeddings" where the model makes them.')),
  output_modality: Type.Object({ text: Type.Boolean(described("Whether its output is text.")) }),
  cost: Type.Object({
    prompt: Type.Union([Type.Number({ minimum: 0 }), Type.Null()], {
      ...described("Micro-credits per input token; may be fractional. null: unknown."),
    }),
  }),
};

export const ModelWithFeatures = Type.Object(
  { ...Model.properties, ...FEATURES },
  {
    examples: [
      {
        ...Model.examples[0],
        supported_features: ["embeddings"],
        output_modality: { text: false },
        cost: { prompt: 0 },
      },
    ],
  },
);

/** Tokens and credits, in the answers of every API. */
export function usageSchema({ usage_credits }: Policies) {
  const usage = { prompt_tokens: 4, total_tokens: 4 };
  if (!usage_credits) return Type.Object(TOKENS, { examples: [usage] });
  const priced = { ...usage, credits_used: 13, credits_remaining: 999_987 };
  return Type.Object({ ...TOKENS, ...CREDITS }, { examples: [priced] });
}

export function responseOf(policies: Policies) {
  const [example] = EmbeddingsResponse.examples;
  const usage = policies.usage_credits ? usageSchema(policies) : EmbeddingsResponse.properties.usage;
  const properties = {
    ...EmbeddingsResponse.properties,
    ...(policies.reply_id && { id: Type.String(described("The request's id.")) }),
    usage,
  };
  const said = policies.usage_credits ? usageSchema(policies).examples[0] : example.usage;
  const examples = [{ ...example, ...(policies.reply_id && { id: "req_0123" }), usage: said }];
  return Type.Object(properties, { examples });
}

/** With every error code of this dialect. */
function errorResponseOf(policies: Policies) {
  const codes = ERROR_KINDS.map(([kind]) => wordingOf(new GatewayError(kind, ""), policies).code);
  const enumerated = Type.Union([Type.String(), Type.Null()], { enum: [...new Set(codes)].sort() });
  const { error } = ErrorResponse.properties;
  const properties = { error: Type.Object({ ...error.properties, code: enumerated }) };
  return Type.Object(properties, { examples: ErrorResponse.examples });
}

/** By their names in the document. */
export const schemasOf = (policies: Policies) => ({
  EmbeddingsRequest: embeddingsRequest(policies),
  EmbeddingsResponse: responseOf(policies),
  ErrorResponse: errorResponseOf(policies),
  Model: policies.models_list === "features" ? ModelWithFeatures : Model,
  ModelList,
});
