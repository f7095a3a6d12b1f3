/**
 * Ollama's requests and answers as TypeBox schemas: the checks and the OpenAPI document come from them.
 * Source: docs/api.md and api/types.go of ollama/ollama. Errors are `{"error": "…"}`.
 */
import { type Static, type TSchema, Type } from "@sinclair/typebox";
import { TypeCompiler } from "@sinclair/typebox/compiler";
import { onFirstUse } from "../../domain/first-use";

const optional = <Schema extends TSchema>(schema: Schema) => Type.Optional(Type.Union([schema, Type.Null()]));

const model = optional(
  Type.String({
    minLength: 1,
    maxLength: 512,
    description: "A model id, with or without `:latest`. Default: the gateway's default_model.",
  }),
);
/** Accepted because every client sends them; named in x-embedgate-ignored. */
const UNUSED = {
  options: optional(
    Type.Object({}, { additionalProperties: true, description: "Settings of Ollama's engine: no effect." }),
  ),
  keep_alive: optional(
    Type.Union([Type.String(), Type.Number()], {
      description: "How long Ollama keeps the model in memory: no effect.",
      expected: "a string or a number",
    }),
  ),
};
export const UNUSED_FIELDS = ["options", "keep_alive"] as const;

const shut = { additionalProperties: false } as const;

const EmbedBody = Type.Object(
  {
    model,
    input: optional(
      Type.Union([Type.String(), Type.Array(Type.String({ expected: "a string" }))], {
        expected: "a string or an array of strings",
        description: "What to embed. An empty string, an empty array or none: no embeddings.",
      }),
    ),
    truncate: optional(
      Type.Boolean({
        description: "Whether a text that is too long is truncated at its end, or refused. Default true.",
      }),
    ),
    dimensions: optional(
      Type.Integer({ minimum: 1, maximum: 65536, description: "Numbers in each embedding." }),
    ),
    ...UNUSED,
  },
  { ...shut, examples: [{ model: "all-MiniLM-L6-v2", input: ["one", "two"] }] },
);
export type EmbedBody = Static<typeof EmbedBody>;
export const embedBody = onFirstUse(() => TypeCompiler.Compile(EmbedBody));

const EmbeddingsBody = Type.Object(
  {
    model,
    prompt: optional(Type.String({ description: "What to embed. An empty string: no numbers." })),
    ...UNUSED,
  },
  { ...shut, examples: [{ model: "all-MiniLM-L6-v2", prompt: "one" }] },
);
export type EmbeddingsBody = Static<typeof EmbeddingsBody>;
export const embeddingsBody = onFirstUse(() => TypeCompiler.Compile(EmbeddingsBody));

const ShowBody = Type.Object(
  {
    model,
    name: optional(
      // Ollama's own client for Go also sends unset fields: ollama/ollama, api/types.go, ShowRequest.
      Type.String({
        maxLength: 512,
        description: "The older name of `model`; an empty string counts as none.",
      }),
    ),
    verbose: optional(Type.Boolean()),
    system: optional(Type.String()),
    template: optional(Type.String()),
    options: UNUSED.options,
  },
  { ...shut, examples: [{ model: "all-MiniLM-L6-v2" }] },
);
export const showBody = onFirstUse(() => TypeCompiler.Compile(ShowBody));

const numbers = Type.Array(Type.Number());
const nanoseconds = Type.Integer({ minimum: 0, description: "Nanoseconds." });

const Details = Type.Object({
  parent_model: Type.String(),
  format: Type.String(),
  family: Type.String(),
  families: Type.Array(Type.String()),
  parameter_size: Type.String(),
  quantization_level: Type.String(),
});
const details = {
  parent_model: "",
  format: "",
  family: "local",
  families: ["local"],
  parameter_size: "",
  quantization_level: "",
};

const Listed = Type.Object({
  name: Type.String({ description: "The model's id, with `:latest` if it has no tag." }),
  model: Type.String(),
  modified_at: Type.String({ description: "The gateway's start." }),
  size: Type.Integer({ minimum: 0, description: "Always 0: the gateway has no file of it." }),
  digest: Type.String({ description: "The id's, not the model's." }),
  details: Details,
});

export const SCHEMAS = {
  OllamaEmbedRequest: EmbedBody,
  OllamaEmbedResponse: Type.Object(
    {
      model: Type.String(),
      embeddings: Type.Array(numbers, { description: "In the order of the inputs, each of unit length." }),
      total_duration: nanoseconds,
      load_duration: nanoseconds,
      prompt_eval_count: Type.Integer({ minimum: 0, description: "Tokens." }),
    },
    {
      examples: [
        {
          model: "all-MiniLM-L6-v2",
          embeddings: [[0.0183, -0.0411, 0.0292]],
          total_duration: 4_000_000,
          load_duration: 0,
          prompt_eval_count: 2,
        },
      ],
    },
  ),
  OllamaEmbeddingsRequest: EmbeddingsBody,
  OllamaEmbeddingsResponse: Type.Object(
    { embedding: numbers },
    { examples: [{ embedding: [0.0183, -0.0411, 0.0292] }] },
  ),
  OllamaModels: Type.Object(
    { models: Type.Array(Listed) },
    {
      examples: [
        {
          models: [
            {
              name: "all-MiniLM-L6-v2:latest",
              model: "all-MiniLM-L6-v2:latest",
              modified_at: "2026-11-28T12:00:00.000Z",
              size: 0,
              digest: "7b1f",
              details,
            },
          ],
        },
      ],
    },
  ),
  OllamaShowRequest: ShowBody,
  OllamaShowResponse: Type.Object(
    {
      modelfile: Type.String(),
      parameters: Type.String(),
      template: Type.String(),
      details: Details,
      model_info: Type.Record(Type.String(), Type.Union([Type.String(), Type.Number()])),
      capabilities: Type.Array(Type.String()),
      modified_at: Type.String(),
    },
    {
      examples: [
        {
          modelfile: "",
          parameters: "",
          template: "",
          details,
          model_info: {
            "general.architecture": "embedgate",
            "embedgate.context_length": 254,
            "embedgate.embedding_length": 384,
          },
          capabilities: ["embedding"],
          modified_at: "2026-11-28T12:00:00.000Z",
        },
      ],
    },
  ),
  OllamaVersion: Type.Object({ version: Type.String() }, { examples: [{ version: "0.17.4" }] }),
  OllamaError: Type.Object(
    { error: Type.String({ description: "What was wrong and what to do." }) },
    { examples: [{ error: "'input' must be a string or an array of strings, not a number." }] },
  ),
};
