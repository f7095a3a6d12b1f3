/**
 * Requests and answers of Google's own paths as TypeBox schemas, in addition to gemini-schema.ts: the check of Vertex AI's predict, and the
 * published document. Sources: ai.google.dev/api/embeddings, ai.google.dev/api/models;
 * cloud.google.com/vertex-ai/generative-ai/docs/model-reference/text-embeddings-api.
 */
import { type Static, type TSchema, Type } from "@sinclair/typebox";
import { TypeCompiler } from "@sinclair/typebox/compiler";
import { onFirstUse } from "../../domain/first-use";
import type { Policies } from "../../domain/policies";
import { schemasOf } from "./gemini-schema";

const optional = <Schema extends TSchema>(schema: Schema) => Type.Optional(Type.Union([schema, Type.Null()]));
const word = Type.String({ minLength: 1, maxLength: 100 });
const size = Type.Integer({ minimum: 1, maximum: 65536 });

const closed = { additionalProperties: false } as const;
const Predict = Type.Object(
  {
    instances: Type.Array(
      Type.Object(
        {
          content: Type.String(),
          task_type: optional(word),
          taskType: optional(word),
          title: optional(Type.String({ minLength: 1, maxLength: 2000 })),
        },
        closed,
      ),
      { minItems: 1, description: "One text each. All must have the same task and title." },
    ),
    parameters: optional(
      Type.Object(
        {
          autoTruncate: optional(
            Type.Boolean({
              description: "Whether a text that is too long is truncated. Default: true, as in Google's API.",
            }),
          ),
          outputDimensionality: optional(size),
          output_dimensionality: optional(size),
        },
        closed,
      ),
    ),
  },
  {
    ...closed,
    examples: [{ instances: [{ content: "one", task_type: "RETRIEVAL_QUERY" }], parameters: {} }],
  },
);
export type Predict = Static<typeof Predict>;
export const predictCheck = onFirstUse(() => TypeCompiler.Compile(Predict));

const Prediction = Type.Object({
  embeddings: Type.Object({
    values: Type.Array(Type.Number()),
    statistics: Type.Object({
      token_count: Type.Integer({
        minimum: 0,
        description: "In a call with several texts, its share of their total if only that is known.",
      }),
      truncated: Type.Boolean(),
    }),
  }),
});

const VertexPredictResponse = Type.Object(
  { predictions: Type.Array(Prediction) },
  {
    examples: [
      {
        predictions: [
          { embeddings: { values: [0.0183, -0.0411], statistics: { token_count: 1, truncated: false } } },
        ],
      },
    ],
  },
);

const MODEL = {
  name: "models/gemini-embedding-001",
  displayName: "gemini-embedding-001",
  inputTokenLimit: 2048,
  supportedGenerationMethods: ["embedContent"],
};
const GoogleModel = Type.Object(
  {
    name: Type.String({ description: "`models/` and the id." }),
    displayName: Type.String(),
    inputTokenLimit: Type.Optional(Type.Integer()),
    supportedGenerationMethods: Type.Array(Type.String()),
  },
  { examples: [MODEL] },
);
export type GoogleModel = Static<typeof GoogleModel>;

const content = { parts: [{ text: "one" }] };

export function googleSchemas(policies: Policies): Readonly<Record<string, TSchema>> {
  // The path names the model.
  const { required: _, ...request } = schemasOf(policies).GeminiEmbeddingsRequest;
  const properties = request.properties;
  return {
    GoogleEmbedContentRequest: Type.Partial(Type.Object(properties), {
      additionalProperties: request.additionalProperties,
      examples: [{ content, taskType: "RETRIEVAL_QUERY", outputDimensionality: 768 }],
    }),
    GoogleBatchEmbedRequest: Type.Partial(Type.Object(properties), {
      additionalProperties: request.additionalProperties,
      examples: [{ requests: [{ model: "models/gemini-embedding-001", content }] }],
    }),
    VertexPredictRequest: Predict,
    VertexPredictResponse,
    GoogleModel,
    GoogleModelList: Type.Object({ models: Type.Array(GoogleModel) }, { examples: [{ models: [MODEL] }] }),
  };
}
