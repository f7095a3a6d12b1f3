/**
 * The requests and answers of Amazon's Titan and Nova, and of Cohere on Bedrock, as TypeBox schemas for the check and the OpenAPI document.
 * Field names may be camelCase or snake_case. Sources: docs.aws.amazon.com/bedrock/latest/userguide/model-parameters-titan-embed-text.html,
 * …/model-parameters-embed-v3.html, …/model-parameters-embed-v4.html.
 */

import { type Static, type TObject, type TSchema, Type } from "@sinclair/typebox";
import { TypeCompiler } from "@sinclair/typebox/compiler";
import { onFirstUse } from "../../domain/first-use";
import type { Policies } from "../../domain/policies";
import { embeddingsRequest } from "../openai-request";
import { responseOf as openaiResponseOf, usageSchema } from "../openai-schema";

const optional = <Schema extends TSchema>(schema: Schema) => Type.Optional(Type.Union([schema, Type.Null()]));

const text = optional(Type.String({ description: "One text, as Titan takes it." }));
const dimension = optional(
  Type.Integer({ minimum: 1, maximum: 65536, description: "Numbers in each embedding." }),
);
const task = optional(
  Type.String({
    minLength: 1,
    maxLength: 100,
    description: "What the embeddings are for: search_document, search_query, classification, clustering.",
  }),
);
const types = optional(
  Type.Array(
    Type.Union(
      [
        Type.Literal("float"),
        Type.Literal("int8"),
        Type.Literal("uint8"),
        Type.Literal("binary"),
        Type.Literal("ubinary"),
      ],
      { expected: '"float", "int8", "uint8", "binary" or "ubinary"' },
    ),
    {
      minItems: 1,
      maxItems: 5,
      description: "Vector types to return; default float.",
    },
  ),
);
const sizes = optional(
  Type.Object(
    { outputEmbeddingLength: dimension, output_embedding_length: dimension },
    { additionalProperties: false },
  ),
);

const novaText = Type.Object(
  {
    value: Type.String(),
    truncationMode: optional(
      Type.String({ minLength: 1, maxLength: 20, description: "As `truncate`: NONE, START or END." }),
    ),
  },
  { additionalProperties: false },
);

/** docs.aws.amazon.com/nova/latest/userguide/embeddings-schema.html */
const NOVA = {
  schemaVersion: optional(Type.String({ maxLength: 100, description: "Part of Nova's schema; ignored." })),
  taskType: optional(
    Type.Literal("SINGLE_EMBEDDING", { description: "The only one of Nova's tasks that is supported here." }),
  ),
  singleEmbeddingParams: optional(
    Type.Object(
      {
        embeddingPurpose: task,
        embeddingDimension: dimension,
        text: novaText,
      },
      {
        additionalProperties: false,
        description: "One text, as Nova takes it; images and videos are refused.",
      },
    ),
  ),
};

const WORDS = {
  ...NOVA,
  inputText: text,
  input_text: text,
  texts: optional(
    Type.Array(Type.String({ expected: "a string" }), {
      minItems: 1,
      description: "Texts, as in Cohere's API; more than fit into one call are sent in several.",
    }),
  ),
  normalize: optional(Type.Boolean({ description: "Titan V2: false leaves vectors at their own length." })),
  input_type: task,
  inputType: task,
  truncate: optional(
    Type.String({
      minLength: 1,
      maxLength: 20,
      description: "How to truncate a text that is too long: NONE (refuse it), START (LEFT) or END (RIGHT).",
    }),
  ),
  embedding_types: types,
  embeddingTypes: types,
  output_dimension: dimension,
  outputDimension: dimension,
  embeddingConfig: sizes,
  embedding_config: sizes,
};

const AmazonsWords = Type.Object(WORDS);
export type AmazonsWords = Static<typeof AmazonsWords>;

export const isAmazonsWord = (name: string) => Object.hasOwn(WORDS, name);
export const amazonsWords = onFirstUse(() => TypeCompiler.Compile(AmazonsWords));

const TITAN = "amazon.titan-embed-text-v2:0";
const COHERE = "cohere.embed-english-v3";

function requestOf(policies: Policies): TObject {
  const { input, ...others } = embeddingsRequest(policies).properties;
  return Type.Object(
    { ...(input && { input: Type.Optional(input) }), ...others, ...WORDS },
    {
      additionalProperties: policies.unknown_fields !== "reject",
      description:
        "Either `input`, answered as /v1/embeddings does, further types under `embeddings_by_type`; or Titan's `inputText`, Cohere's `texts` or Nova's `singleEmbeddingParams`, answered in that model's shape.",
      examples: [
        {
          model: TITAN,
          inputText: "one",
          dimensions: 512,
          normalize: true,
          embeddingTypes: ["float", "binary"],
        },
        { model: COHERE, texts: ["one", "two"], input_type: "search_query", embedding_types: ["int8"] },
        { model: COHERE, input: ["one", "two"], embedding_types: ["float", "ubinary"] },
      ],
    },
  );
}

const numbers = Type.Array(Type.Number());
const integers = Type.Array(Type.Integer({ minimum: -128, maximum: 255 }));
const each = { int8: integers, uint8: integers, binary: integers, ubinary: integers };
const partly = (properties: Record<string, TSchema>, description: string) =>
  Type.Partial(Type.Object(properties), { description });
const lists = Object.fromEntries(Object.entries(each).map(([type, schema]) => [type, Type.Array(schema)]));

function responseOf(policies: Policies): TSchema {
  const usage = usageSchema(policies);
  const example = usage.examples?.[0];
  const titans = Type.Object(
    {
      embedding: numbers,
      embeddingsByType: partly({ float: numbers, binary: integers }, "Each of the requested types."),
      inputTextTokenCount: Type.Integer({ minimum: 0 }),
      usage,
    },
    { title: "of `inputText`, as Titan" },
  );
  const coheres = Type.Object(
    {
      id: Type.String(),
      texts: Type.Array(Type.String()),
      embeddings: Type.Union([
        Type.Array(numbers, { description: "If no types were requested." }),
        partly({ float: Type.Array(numbers), ...lists }, "Each of the requested types."),
      ]),
      response_type: Type.Union([Type.Literal("embeddings_floats"), Type.Literal("embeddings_by_type")]),
      usage,
    },
    { title: "of `texts`, as Cohere" },
  );
  const novas = Type.Object(
    {
      embeddings: Type.Array(Type.Object({ embeddingType: Type.Literal("TEXT"), embedding: numbers })),
      inputTokenCount: Type.Integer({ minimum: 0 }),
      usage,
    },
    { title: "of `singleEmbeddingParams`, as Nova" },
  );
  const { properties } = openaiResponseOf(policies);
  const entry = Type.Object({
    ...properties.data.items.properties,
    embeddings_by_type: Type.Optional(partly(each, "Each of the requested types except float.")),
  });
  const openais = Type.Object(
    { ...properties, data: Type.Array(entry) },
    { title: "of `input`, as /v1/embeddings" },
  );
  return Type.Union([titans, coheres, novas, openais], {
    examples: [
      {
        embedding: [0.0183, -0.0411],
        embeddingsByType: { binary: [1, 0] },
        inputTextTokenCount: 4,
        usage: example,
      },
      {
        id: "req_0123",
        texts: ["one"],
        embeddings: { int8: [[18, -41]] },
        response_type: "embeddings_by_type",
        usage: example,
      },
    ],
  });
}

/** The path names the model. */
function invokeOf(policies: Policies): TObject {
  const { properties, examples: _, ...about } = requestOf(policies);
  const { model: __, ...others } = properties;
  const { additionalProperties, description } = about;
  const examples = [{ inputText: "one", dimensions: 512, normalize: true }];
  return Type.Object(others, { additionalProperties, description, examples });
}

export const schemasOf = (policies: Policies) => ({
  BedrockEmbeddingsRequest: requestOf(policies),
  BedrockInvokeRequest: invokeOf(policies),
  BedrockEmbeddingsResponse: responseOf(policies),
});
