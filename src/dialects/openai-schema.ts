/**
 * OpenAI's embeddings wire as TypeBox schemas: the check, the type and the published document come from these.
 * Source: openai/openai-openapi, CreateEmbeddingRequest and its neighbours; limits as in its text.
 */
import { type Static, type TSchema, Type } from "@sinclair/typebox";

export const INPUTS_MAX = 2048;
const TOKEN_ID_MAX = 2 ** 31 - 1;

const text = Type.String({ minLength: 1, expected: "a string" });
const tokenId = Type.Integer({ minimum: 0, maximum: TOKEN_ID_MAX, expected: "a token id (an integer)" });

const Input = Type.Union(
  [
    Type.String({ minLength: 1, title: "one text" }),
    Type.Array(text, { minItems: 1, maxItems: INPUTS_MAX, title: "texts" }),
    Type.Array(tokenId, { minItems: 1, title: "the token ids of one text" }),
    Type.Array(Type.Array(tokenId, { minItems: 1, expected: "an array of token ids" }), {
      minItems: 1,
      maxItems: INPUTS_MAX,
      title: "the token ids of several texts",
    }),
  ],
  {
    description:
      "What to embed: a string, an array of strings, an array of token ids (one input), or an array of arrays of token ids. At most 2048 inputs; none may be empty.",
    expected: "a string, an array of strings, an array of token ids or an array of arrays of token ids",
  },
);

const described = (description: string) => ({ description });

/** Clients send `null` for what they leave unset; errors speak of `schema` alone. */
const optional = <Schema extends TSchema>(schema: Schema) => Type.Optional(Type.Union([schema, Type.Null()]));

export const EmbeddingsRequest = Type.Object(
  {
    model: Type.String({
      minLength: 1,
      maxLength: 512,
      ...described("A model id, deployment id or alias of GET /v1/models."),
    }),
    input: Input,
    encoding_format: optional(
      Type.Union([Type.Literal("float"), Type.Literal("base64")], {
        default: "float",
        expected: '"float" or "base64"',
        ...described(
          "float: an array of numbers. base64: little-endian float32, a third of the size, the same values bit for bit.",
        ),
      }),
    ),
    dimensions: optional(
      Type.Integer({
        minimum: 1,
        maximum: 65536,
        ...described(
          "Numbers in each embedding, for models that can be asked for another size than their own.",
        ),
      }),
    ),
    user: optional(
      Type.String({
        maxLength: 4096,
        ...described("Your end user: handed on to the provider and recorded with the usage."),
      }),
    ),
    metadata: optional(
      Type.Record(
        Type.String({ maxLength: 256 }),
        Type.Union([Type.String({ maxLength: 4096 }), Type.Number(), Type.Boolean()], {
          expected: "a string, a number or a boolean",
        }),
        {
          maxProperties: 64,
          ...described("Key/value pairs kept with the usage record. Not sent to the provider."),
        },
      ),
    ),
    extra_body: optional(
      Type.Object(
        {},
        {
          additionalProperties: true,
          ...described("Fields merged into the body that goes to the provider."),
        },
      ),
    ),
    stream: optional(
      Type.Literal(false, described("Embeddings are never streamed: only false is accepted.")),
    ),
  },
  {
    additionalProperties: true,
    description:
      "Fields beyond these are taken where the model's provider plugin declares them (`input_type`, `truncate` …), and refused with 400 otherwise. `null` for an optional field means absent.",
    examples: [{ model: "all-MiniLM-L6-v2", input: ["The quick brown fox", "jumps over the lazy dog"] }],
  },
);
export type EmbeddingsRequest = Static<typeof EmbeddingsRequest>;

export const EmbeddingsResponse = Type.Object(
  {
    object: Type.Literal("list"),
    data: Type.Array(
      Type.Object({
        object: Type.Literal("embedding"),
        index: Type.Integer({
          minimum: 0,
          ...described("The place of the input that this embedding belongs to."),
        }),
        embedding: Type.Union([Type.Array(Type.Number()), Type.String({ contentEncoding: "base64" })], {
          ...described("Numbers, or base64 of little-endian float32, as `encoding_format` asked."),
        }),
      }),
      described("One embedding for each input, in the order of the inputs."),
    ),
    model: Type.String(described("The id that was asked for.")),
    usage: Type.Object({
      prompt_tokens: Type.Integer({ minimum: 0 }),
      total_tokens: Type.Integer({ minimum: 0, ...described("Always equal to prompt_tokens.") }),
    }),
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
    dimensions: Type.Union([Type.Integer(), Type.Null()]),
    max_input_tokens: Type.Union([Type.Integer(), Type.Null()]),
    price_usd_per_million_tokens: Type.Union([Type.Number(), Type.Null()]),
  },
  {
    examples: [
      {
        id: "all-MiniLM-L6-v2",
        object: "model",
        created: 1780000000,
        owned_by: "local",
        embeddings: true,
        dimensions: 384,
        max_input_tokens: 256,
        price_usd_per_million_tokens: 0,
      },
    ],
  },
);

export const ModelList = Type.Object({
  object: Type.Literal("list"),
  data: Type.Array(Type.Ref("#/components/schemas/Model")),
});

/** By the names that the document knows them under. */
export const SCHEMAS = { EmbeddingsRequest, EmbeddingsResponse, ErrorResponse, Model, ModelList };
