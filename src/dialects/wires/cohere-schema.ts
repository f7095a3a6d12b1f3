/**
 * Cohere's requests and answers as TypeBox schemas: the check and the OpenAPI document come from them.
 * Sources: docs.cohere.com/reference/embed, /v1/reference/embed, /reference/list-models; cohere-ai/cohere-developer-experience.
 */
import { type Static, type TObject, type TSchema, Type } from "@sinclair/typebox";
import { TypeCompiler } from "@sinclair/typebox/compiler";
import { onFirstUse } from "../../domain/first-use";
import type { Policies } from "../../domain/policies";
import { embeddingsRequest } from "../openai-request";
import { usageSchema } from "../openai-schema";

const optional = <Schema extends TSchema>(schema: Schema) => Type.Optional(Type.Union([schema, Type.Null()]));

const Part = Type.Object({ type: Type.String(), text: optional(Type.String()) });

const WORDS = {
  texts: optional(
    Type.Array(Type.String({ expected: "a string" }), {
      minItems: 1,
      description: "Texts to embed; more than fit into one call to the provider are sent in several.",
    }),
  ),
  inputs: optional(
    Type.Array(
      Type.Object(
        { content: Type.Array(Part, { minItems: 1, maxItems: 1 }) },
        {
          expected:
            "an object with 'content' (clients of text-embeddings-inference: leave /v1 out of the base URL)",
        },
      ),
      {
        minItems: 1,
        description:
          "Texts to embed, as /v2/embed takes them beside `texts`: one part of the type text each.",
      },
    ),
  ),
  images: optional(
    Type.Array(Type.Never({ expected: "left out: images are not embedded here" }), { maxItems: 0 }),
  ),
  input_type: optional(
    Type.String({
      minLength: 1,
      maxLength: 100,
      description: "What the embeddings are for: search_document, search_query, classification, clustering.",
    }),
  ),
  embedding_types: optional(
    Type.Array(
      Type.Union(
        (["float", "int8", "uint8", "binary", "ubinary", "base64"] as const).map((type) =>
          Type.Literal(type),
        ),
        { expected: '"float", "int8", "uint8", "binary", "ubinary" or "base64"' },
      ),
      {
        minItems: 1,
        maxItems: 6,
        description:
          "Vector types to return. Every model has float and base64 (of float32, little-endian); others need a provider that makes them.",
      },
    ),
  ),
  output_dimension: optional(
    Type.Integer({ minimum: 1, maximum: 65536, description: "Numbers in each embedding." }),
  ),
  truncate: optional(
    Type.String({
      minLength: 1,
      maxLength: 20,
      description:
        "How to truncate a text that is too long: NONE (refuse it), START or END. Default: END, as in Cohere's API, unless the routing file sets the model's `long_input`.",
    }),
  ),
};

const CohereWords = Type.Object(WORDS);
export type CohereWords = Static<typeof CohereWords>;

export const isCoheresWord = (name: string) => Object.hasOwn(WORDS, name);
export const coheresWords = onFirstUse(() => TypeCompiler.Compile(CohereWords));

const EXAMPLE = { model: "embed-v4.0", texts: ["one", "two"], input_type: "search_query" };

function requestOf(policies: Policies): TObject {
  const {
    input: _,
    dimensions: __,
    encoding_format: ___,
    ...others
  } = embeddingsRequest(policies).properties;
  return Type.Object(
    { ...others, ...WORDS },
    { additionalProperties: policies.unknown_fields !== "reject", examples: [EXAMPLE] },
  );
}

const lists = Type.Array(Type.Array(Type.Number()));
const byType = Type.Partial(
  Type.Object({
    float: lists,
    int8: lists,
    uint8: lists,
    binary: lists,
    ubinary: lists,
    base64: Type.Array(Type.String({ contentEncoding: "base64" })),
  }),
  { description: "Each of the requested types, in the order of the texts." },
);

function responseOf(policies: Policies): TSchema {
  const usage = usageSchema(policies);
  return Type.Object(
    {
      id: Type.String(),
      texts: Type.Array(Type.String()),
      embeddings: Type.Union([
        byType,
        { ...lists, description: "At /v1/embed, if no types were requested." },
      ]),
      meta: Type.Object({
        api_version: Type.Object({ version: Type.String() }),
        billed_units: Type.Object({ input_tokens: Type.Integer({ minimum: 0 }) }),
      }),
      response_type: Type.Union([Type.Literal("embeddings_floats"), Type.Literal("embeddings_by_type")]),
      usage,
    },
    {
      examples: [
        {
          id: "req_0123",
          texts: ["one"],
          embeddings: { float: [[0.0183, -0.0411]] },
          meta: { api_version: { version: "2" }, billed_units: { input_tokens: 1 } },
          response_type: "embeddings_by_type",
          usage: usage.examples?.[0],
        },
      ],
    },
  );
}

const MODEL = {
  name: "embed-v4.0",
  is_deprecated: false,
  endpoints: ["embed"],
  finetuned: false,
  context_length: 128_000,
  tokenizer_url: null,
  default_endpoints: [],
};
const CohereModel = Type.Object(
  {
    name: Type.String(),
    is_deprecated: Type.Boolean({
      description: "Whether it is within half a year of its end of life, or past it.",
    }),
    endpoints: Type.Array(Type.String(), { description: '"embed" where the model makes embeddings.' }),
    finetuned: Type.Boolean(),
    context_length: Type.Union([Type.Integer(), Type.Null()]),
    tokenizer_url: Type.Null(),
    default_endpoints: Type.Array(Type.String()),
  },
  { examples: [MODEL] },
);
export type CohereModel = Static<typeof CohereModel>;

export const schemasOf = (policies: Policies) => ({
  CohereEmbedRequest: requestOf(policies),
  CohereEmbedResponse: responseOf(policies),
  CohereModel,
  CohereModelList: Type.Object({ models: Type.Array(CohereModel) }, { examples: [{ models: [MODEL] }] }),
  CohereKeyCheck: Type.Object({ valid: Type.Literal(true) }, { examples: [{ valid: true }] }),
  CohereError: Type.Object(
    { message: Type.String({ description: "What was wrong and what to do." }) },
    { examples: [{ message: "'texts[1]' is an empty string: it must have at least one character." }] },
  ),
});
