/**
 * Google's request and answers as TypeBox schemas: the check and the OpenAPI document come from them. Field names may be camelCase or
 * snake_case, as Google's own JSON may. Source: ai.google.dev/api/embeddings.
 */

import { type Static, type TObject, type TSchema, Type } from "@sinclair/typebox";
import { TypeCompiler } from "@sinclair/typebox/compiler";
import { onFirstUse } from "../../domain/first-use";
import type { Policies } from "../../domain/policies";
import { embeddingsRequest } from "../openai-request";
import { responseOf as openaiResponseOf, usageSchema } from "../openai-schema";

const optional = <Schema extends TSchema>(schema: Schema) => Type.Optional(Type.Union([schema, Type.Null()]));

const taskType = optional(
  Type.String({
    minLength: 1,
    maxLength: 100,
    description: "What the embeddings are for: RETRIEVAL_QUERY, RETRIEVAL_DOCUMENT, SEMANTIC_SIMILARITY …",
  }),
);
const outputDimensionality = optional(
  Type.Integer({ minimum: 1, maximum: 65536, description: "Numbers in each embedding." }),
);
const autoTruncate = optional(
  Type.Boolean({ description: "Whether a text that is too long is truncated, or refused." }),
);

const SETTINGS = {
  task_type: taskType,
  taskType,
  title: optional(
    Type.String({
      minLength: 1,
      maxLength: 2000,
      description: "The documents' title, with the task RETRIEVAL_DOCUMENT.",
    }),
  ),
  output_dimensionality: outputDimensionality,
  outputDimensionality,
  auto_truncate: autoTruncate,
  autoTruncate,
};

/** Each setting with its names. */
export const SPELLINGS = {
  task_type: ["task_type", "taskType"],
  title: ["title"],
  output_dimensionality: ["output_dimensionality", "outputDimensionality"],
  auto_truncate: ["auto_truncate", "autoTruncate"],
} as const satisfies Record<string, readonly (keyof typeof SETTINGS)[]>;
export type Setting = keyof typeof SPELLINGS;

const closed = { additionalProperties: false } as const;
const config = optional(
  Type.Object(SETTINGS, { ...closed, description: "The settings, where Google's newer requests put them." }),
);
/** Where settings may be, in addition to their original place. */
export const CONFIGS = ["embed_content_config", "embedContentConfig", "config"] as const;
const ALL_SETTINGS = {
  ...SETTINGS,
  embed_content_config: config,
  embedContentConfig: config,
  config,
};

const Part = Type.Object({ text: Type.String() }, closed);
const Content = Type.Object(
  {
    parts: Type.Array(Part, {
      minItems: 1,
      description: "One part: Google would fuse several into one embedding, which is refused here.",
    }),
    role: optional(Type.String()),
  },
  closed,
);
export type Content = Static<typeof Content>;

const Entry = Type.Object({ model: optional(Type.String()), content: Content, ...ALL_SETTINGS }, closed);
export type Entry = Static<typeof Entry>;

const contents = Type.Union([Type.String({ expected: "a string" }), Content, Part], {
  expected: "a string or a content with `parts`",
});

const WORDS = {
  content: optional(Content),
  contents: optional(
    Type.Union([contents, Type.Array(contents, { minItems: 1 })], {
      description: "As in Google's SDKs: each text or content has its own embedding.",
    }),
  ),
  requests: optional(
    Type.Array(Entry, {
      minItems: 1,
      description: "One embedding for each. All must have one model and the same settings.",
    }),
  ),
  ...ALL_SETTINGS,
};

const GoogleWords = Type.Object(WORDS);
export type GoogleWords = Static<typeof GoogleWords>;

export const isGoogleWord = (name: string) => Object.hasOwn(WORDS, name);
export const googleWords = onFirstUse(() => TypeCompiler.Compile(GoogleWords));

const EXAMPLE_MODEL = "gemini-embedding-001";

function requestOf(policies: Policies): TObject {
  const { properties } = embeddingsRequest(policies);
  const { input, model, ...others } = properties;
  return Type.Object(
    {
      ...(model && {
        model: Type.Optional({ ...model, description: `${model.description} Or in \`requests\`.` }),
      }),
      ...(input && { input: Type.Optional(input) }),
      ...others,
      ...WORDS,
    },
    {
      additionalProperties: policies.unknown_fields !== "reject",
      description:
        "Either `input`, answered as /v1/embeddings does; or Google's own `content`, `contents` or `requests`, answered in Google's shape.",
      examples: [
        {
          model: EXAMPLE_MODEL,
          input: ["one", "two"],
          task_type: "RETRIEVAL_QUERY",
          output_dimensionality: 768,
        },
        { model: EXAMPLE_MODEL, content: { parts: [{ text: "one" }] } },
        { requests: [{ model: `models/${EXAMPLE_MODEL}`, content: { parts: [{ text: "one" }] } }] },
      ],
    },
  );
}

const Embedding = Type.Object({ values: Type.Array(Type.Number()) });

function responseOf(policies: Policies): TSchema {
  const embedding = { values: [0.0183, -0.0411, 0.0292] };
  const usage = usageSchema(policies);
  const counted = { usage: usage.examples?.[0], usageMetadata: { promptTokenCount: 4 } };
  const googles = Type.Object(
    {
      embedding: Type.Optional({ ...Embedding, description: "For `content`." }),
      embeddings: Type.Optional(
        Type.Array(Embedding, { description: "For `requests` and `contents`, in their order." }),
      ),
      usage,
      usageMetadata: Type.Object({ promptTokenCount: Type.Integer({ minimum: 0 }) }),
    },
    { title: "in Google's shape" },
  );
  return Type.Union([googles, { ...openaiResponseOf(policies), title: "of `input`, as /v1/embeddings" }], {
    examples: [
      { embedding, ...counted },
      { embeddings: [embedding, embedding], ...counted },
    ],
  });
}

export const schemasOf = (policies: Policies) => ({
  GeminiEmbeddingsRequest: requestOf(policies),
  GeminiEmbeddingsResponse: responseOf(policies),
});
