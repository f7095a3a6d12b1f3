/**
 * OpenAI's request as a TypeBox schema, narrowed or widened by a dialect's policies: the check, the type and the OpenAPI document come from it.
 * A new field is a line of FIELDS and of WIRE_FIELDS (fields.ts), read in openai-embeddings.ts. Source: openai/openai-openapi, CreateEmbeddingRequest.
 */
import { type Static, type TObject, type TSchema, Type } from "@sinclair/typebox";
import { FIELDS_BY_POLICY, type FieldByPolicy, type Policies } from "../domain/policies";

const TOKEN_ID_MAX = 2 ** 31 - 1;

type RequestPolicies = Pick<
  Policies,
  FieldByPolicy | "unknown_fields" | "token_arrays" | "base64" | "empty_input" | "max_inputs"
>;

const tokenId = Type.Integer({ minimum: 0, maximum: TOKEN_ID_MAX, expected: "a token id (an integer)" });

const tokenForms = (maxItems: number) => [
  Type.Array(tokenId, { minItems: 1, title: "the token ids of one text" }),
  Type.Array(Type.Array(tokenId, { minItems: 1, expected: "an array of token ids" }), {
    minItems: 1,
    maxItems,
    title: "the token ids of several texts",
  }),
];

function inputSchema({ empty_input, token_arrays, max_inputs: maxItems }: RequestPolicies) {
  const size = empty_input === "accept" ? {} : { minLength: 1 };
  const forms = [
    Type.String({ ...size, title: "one text" }),
    Type.Array(Type.String({ ...size, expected: "a string" }), {
      minItems: 1,
      maxItems,
      title: "texts",
    }),
    ...(token_arrays === "accept" ? tokenForms(maxItems) : []),
  ];
  const words = [
    "a string",
    "an array of strings",
    ...(token_arrays === "accept"
      ? ["an array of token ids (one input)", "an array of arrays of token ids"]
      : []),
  ];
  const empty = empty_input === "accept" ? "an empty string costs nothing" : "none may be empty";
  return Type.Unsafe<string | string[] | number[] | number[][]>(
    Type.Union(forms, {
      description: `What to embed: ${inWords(words)}. At most ${maxItems} inputs; ${empty}.`,
      expected: inWords(words).replace(" (one input)", ""),
    }),
  );
}

const inWords = (words: readonly string[]) => `${words.slice(0, -1).join(", ")} or ${words.at(-1)}`;

const described = (description: string) => ({ description });

/** Clients send `null` for unset fields; error messages mention `schema` only. */
const optional = <Schema extends TSchema>(schema: Schema) => Type.Optional(Type.Union([schema, Type.Null()]));

const MODEL = Type.String({
  minLength: 1,
  maxLength: 512,
  ...described("A model id, deployment id or alias of GET /v1/models."),
});

function formatSchema({ base64 }: RequestPolicies) {
  const float = Type.Literal("float");
  const formats = base64 === "accept" ? [float, Type.Literal("base64")] : [float];
  return optional(
    Type.Unsafe<"float" | "base64">(
      Type.Union(formats, {
        default: "float",
        expected: base64 === "accept" ? '"float" or "base64"' : '"float"',
        ...described(
          base64 === "accept"
            ? "float: an array of numbers. base64: little-endian float32, a third of the size, the same values bit for bit."
            : "float: an array of numbers.",
        ),
      }),
    ),
  );
}

const FIELDS = {
  dimensions: optional(
    Type.Integer({
      minimum: 1,
      maximum: 65536,
      ...described("Dimensions of each embedding, for models that support more than one size."),
    }),
  ),
  user: optional(
    Type.String({
      maxLength: 4096,
      ...described("Your end user: passed on to the provider and recorded with the usage."),
    }),
  ),
  metadata: optional(
    Type.Record(
      Type.String({ maxLength: 256 }),
      Type.Union(
        [
          Type.String({ maxLength: 4096 }),
          Type.Number(),
          Type.Boolean(),
          Type.Null(),
          Type.Array(Type.Unknown()),
          Type.Record(Type.String(), Type.Unknown()),
        ],
        { expected: "a string of at most 4096 characters, a number, a boolean, null, a list or an object" },
      ),
      {
        maxProperties: 64,
        ...described(
          "Key/value pairs kept with the usage record as JSON, lists and objects included. Not sent to the provider.",
        ),
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
  stream: optional(Type.Literal(false, described("Embeddings are never streamed: only false is accepted."))),
} as const satisfies Record<FieldByPolicy, TSchema>;

const UNKNOWN_FIELDS: Readonly<Record<Policies["unknown_fields"], string>> = {
  declared:
    "Other fields are accepted where the model's provider plugin declares them (`input_type`, `truncate` …), and refused otherwise.",
  reject: "Other fields are refused.",
  ignore: "Other fields are ignored; the header x-embedgate-ignored names them.",
  forward: "Other fields are forwarded to the provider.",
};

const allFields = (policies: RequestPolicies) => ({
  model: MODEL,
  input: inputSchema(policies),
  encoding_format: formatSchema(policies),
  ...FIELDS,
});

/** With everything that any policies allow; what the current ones refuse never passes the check. */
export type EmbeddingsRequest = Static<TObject<ReturnType<typeof allFields>>>;

export function embeddingsRequest(policies: RequestPolicies): TObject {
  const left = FIELDS_BY_POLICY.filter((field) => policies[field] !== "honour");
  const properties = Object.entries(allFields(policies)).filter(
    ([name]) => !left.some((field) => field === name),
  );
  return Type.Object(Object.fromEntries(properties), {
    additionalProperties: policies.unknown_fields !== "reject",
    description: `${UNKNOWN_FIELDS[policies.unknown_fields]} \`null\` for an optional field means absent.`,
    examples: [{ model: "all-MiniLM-L6-v2", input: ["The quick brown fox", "jumps over the lazy dog"] }],
  });
}
