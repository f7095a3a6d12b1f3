/**
 * The requests and answers of text-embeddings-inference (TEI) and of Hugging Face's feature extraction, which are alike, as TypeBox
 * schemas. Sources: huggingface/text-embeddings-inference, router/src/http/types.rs; huggingface_hub's FeatureExtractionInput.
 */
import { type Static, type TSchema, Type } from "@sinclair/typebox";
import { TypeCompiler } from "@sinclair/typebox/compiler";
import { onFirstUse } from "../../domain/first-use";
import type { Policies } from "../../domain/policies";
import { embeddingsRequest } from "../openai-request";
import { responseOf } from "../openai-schema";

const optional = <Schema extends TSchema>(schema: Schema) => Type.Optional(Type.Union([schema, Type.Null()]));

const model = optional(
  Type.String({
    minLength: 1,
    maxLength: 512,
    description: "A model id, where the path names none. Default: the gateway's default_model.",
  }),
);

const SETTINGS = {
  truncate: optional(
    Type.Boolean({
      description: "Whether a text that is too long is truncated. Default: the model's `long_input`.",
    }),
  ),
  truncation_direction: optional(
    Type.Union(
      ["Left", "Right", "left", "right"].map((word) => Type.Literal(word)),
      { expected: '"Left" or "Right"', description: "The end that is cut off; default Right." },
    ),
  ),
  prompt_name: optional(
    Type.String({
      minLength: 1,
      maxLength: 100,
      description: "What the embeddings are for, such as query or document.",
    }),
  ),
  normalize: optional(
    Type.Boolean({
      description:
        "true (default): vectors of unit length. false: as the provider returns them; in x-embedgate-ignored unless the provider accepts it.",
    }),
  ),
  dimensions: optional(
    Type.Integer({ minimum: 1, maximum: 65536, description: "Numbers in each embedding." }),
  ),
};

/** What Hugging Face's older clients sent for its queue, in `options` or beside `inputs`. */
const QUEUE = {
  use_cache: optional(Type.Boolean({ description: "No effect." })),
  use_gpu: optional(Type.Boolean({ description: "No effect." })),
  wait_for_model: optional(Type.Boolean({ description: "No effect." })),
};

const shut = { additionalProperties: false } as const;

const TeiRequest = Type.Object(
  {
    inputs: Type.Union([Type.String(), Type.Array(Type.String({ expected: "a string" }), { minItems: 1 })], {
      expected: "a string or an array of strings",
      description: "What to embed.",
    }),
    ...SETTINGS,
    ...QUEUE,
    model,
    encoding_format: optional(Type.Literal("float")),
    parameters: optional(
      Type.Object(SETTINGS, {
        ...shut,
        description: "The settings, where Hugging Face's older clients have them.",
      }),
    ),
    options: optional(
      Type.Object(
        {},
        {
          additionalProperties: true,
          description: "Queue settings of older Hugging Face clients: no effect.",
        },
      ),
    ),
  },
  { ...shut, examples: [{ inputs: ["one", "two"], truncate: true }, { inputs: "one" }] },
);
export const teiRequest = onFirstUse(() => TypeCompiler.Compile(TeiRequest));

const TokenizeRequest = Type.Object(
  {
    inputs: Type.Union([Type.String(), Type.Array(Type.String({ expected: "a string" }), { minItems: 1 })], {
      expected: "a string or an array of strings",
      description: "Texts to tokenize.",
    }),
    add_special_tokens: optional(
      Type.Boolean({ description: "false: without the special tokens that the model adds around a text." }),
    ),
    model,
  },
  { ...shut, examples: [{ inputs: ["one", "two"] }] },
);
export const tokenizeRequest = onFirstUse(() => TypeCompiler.Compile(TokenizeRequest));

const TokenizeResponse = Type.Array(
  Type.Array(
    Type.Object({
      id: Type.Integer(),
      text: Type.String(),
      special: Type.Boolean({ description: "A mark that the model puts around every text." }),
      start: Type.Union([Type.Integer(), Type.Null()], {
        description: "Its place in the text, in bytes of UTF-8; null for a mark, which has none.",
      }),
      stop: Type.Union([Type.Integer(), Type.Null()]),
    }),
  ),
  { examples: [[[{ id: 606, text: "one", special: false, start: 0, stop: 3 }]]] },
);

const TeiInfo = Type.Object(
  {
    model_id: Type.String(),
    model_sha: Type.Null(),
    model_dtype: Type.String(),
    served_model_name: Type.String(),
    model_type: Type.Object({ embedding: Type.Object({ pooling: Type.String() }) }),
    max_concurrent_requests: Type.Integer(),
    max_input_length: Type.Union([Type.Integer(), Type.Null()], { description: "null: not known." }),
    max_batch_tokens: Type.Union([Type.Integer(), Type.Null()]),
    max_batch_requests: Type.Null(),
    max_client_batch_size: Type.Integer({ description: "Inputs that one request may have." }),
    auto_truncate: Type.Boolean(),
    tokenization_workers: Type.Integer(),
    version: Type.String({ description: "The gateway's." }),
    sha: Type.Null(),
    docker_label: Type.Null(),
  },
  {
    examples: [
      {
        model_id: "all-MiniLM-L6-v2",
        model_sha: null,
        model_dtype: "float32",
        served_model_name: "all-MiniLM-L6-v2",
        model_type: { embedding: { pooling: "mean" } },
        max_concurrent_requests: 512,
        max_input_length: 254,
        max_batch_tokens: null,
        max_batch_requests: null,
        max_client_batch_size: 2048,
        auto_truncate: false,
        tokenization_workers: 1,
        version: "1.0.0",
        sha: null,
        docker_label: null,
      },
    ],
  },
);
export type TeiInfo = Static<typeof TeiInfo>;

/** The body of its OpenAI route may omit the model, because the path has it. */
function openaiRequest(policies: Policies) {
  const { properties } = embeddingsRequest(policies);
  const { model: named, ...others } = properties;
  return Type.Object(
    { ...others, ...(named && { model: Type.Optional(named) }) },
    {
      additionalProperties: policies.unknown_fields !== "reject",
      description: "As in /v1/embeddings; the model of the path is used.",
      examples: [{ input: ["one", "two"] }],
    },
  );
}

export const schemasOf = (policies: Policies) => ({
  TeiEmbedRequest: TeiRequest,
  TeiEmbedResponse: Type.Array(Type.Array(Type.Number()), {
    description: "One embedding for each input, in order; a list also for a single input.",
    examples: [[[0.0183, -0.0411, 0.0292]]],
  }),
  TeiOpenaiRequest: openaiRequest(policies),
  TeiOpenaiResponse: responseOf(policies),
  TeiInfo,
  TeiTokenizeRequest: TokenizeRequest,
  TeiTokenizeResponse: TokenizeResponse,
  TeiError: Type.Object(
    {
      error: Type.String({ description: "What was wrong and what to do." }),
      error_type: Type.Union(
        ["validation", "empty", "overloaded", "unhealthy", "backend"].map((word) => Type.Literal(word)),
      ),
    },
    { examples: [{ error: "'inputs[1]' is an empty string.", error_type: "empty" }] },
  ),
});
