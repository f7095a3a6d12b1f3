/**
 * The differences between APIs of OpenAI's shape, each as a named policy: a dialect is a full set of them (records.ts), and
 * the routing file can override each. A new difference is a member here, a value in every record, and the code that uses it.
 */
import { type Static, type TSchema, Type } from "@sinclair/typebox";

const oneOf = <Words extends readonly [string, ...string[]]>(
  words: readonly [...Words],
  description: string,
) =>
  Type.Union(
    words.map((word) => Type.Literal<Words[number]>(word)),
    { description },
  );

const fieldUse = (field: string, ignored: string) =>
  oneOf(
    ["honour", "ignore", "reject"],
    `What happens to \`${field}\`. honour: it takes effect. ignore: ${ignored}, and x-embedgate-ignored names it. reject: it is refused.`,
  );

const choice = (description: string) => oneOf(["accept", "reject"], description);

const status = <First extends number, Second extends number>(
  first: First,
  second: Second,
  description: string,
) => Type.Union([Type.Literal(first), Type.Literal(second)], { description });

const code = (description: string) => Type.String({ minLength: 1, maxLength: 100, description });

const nullable = <Schema extends TSchema>(schema: Schema, description: string) =>
  Type.Union([schema, Type.Null({ description: "null" })], { description });

export const Policies = Type.Object(
  {
    // What a request may contain.
    unknown_fields: oneOf(
      ["declared", "reject", "ignore", "forward"],
      "A request field that this API does not have. declared: accepted if the model's plugin declares it, else refused. reject: refused. ignore: dropped, and named in x-embedgate-ignored. forward: accepted if the plugin declares it, else forwarded unchanged.",
    ),
    dimensions: fieldUse("dimensions", "the answer has the model's own size"),
    user: fieldUse("user", "it is neither forwarded nor recorded"),
    metadata: fieldUse("metadata", "it is not recorded"),
    extra_body: fieldUse("extra_body", "nothing of it is forwarded"),
    stream: fieldUse("stream", "the answer is not streamed"),
    unused_hints: oneOf(
      ["tell", "reject"],
      "A task or a title that no provider of the model uses. tell: dropped, and named in x-embedgate-ignored. reject: refused.",
    ),
    token_arrays: choice("Token ids as `input`."),
    base64: choice("`encoding_format: base64`."),
    empty_input: choice("An empty string as an input. accept: it goes to the provider, at no cost."),
    max_inputs: Type.Integer({
      minimum: 1,
      maximum: 100_000,
      description: "Maximum inputs of one request. OpenAI's is 2048; some clients send all they have.",
    }),
    // Names of errors.
    invalid_status: status(400, 422, "Status of an invalid request."),
    invalid_code: nullable(
      code("A word."),
      "`code` of a request with an invalid body, unless another code says more.",
    ),
    unknown_model_status: status(404, 400, "Status of a model id that is not registered."),
    no_key_code: code("`code` of a request without a key."),
    wrong_key_code: code("`code` of a request with a wrong key."),
    auth_error_type: code("`type` of both."),
    rate_limit_code: code("`code` of a request over the workspace's rate limit."),
    upstream_faults: oneOf(
      ["distinct", "unavailable"],
      "A provider whose answer is invalid or too late. distinct: 502 and 504. unavailable: 503, as for a provider that is down.",
    ),
    // Contents of answers.
    usage_credits: Type.Boolean({
      description: "Whether `usage` has `credits_used` and `credits_remaining`, in micro-credits.",
    }),
    reply_id: Type.Boolean({
      description: "Whether answers of /v1/embeddings have `id`, the request's id, which some SDKs need.",
    }),
    reply_models: Type.Record(Type.String({ minLength: 1 }), Type.String({ minLength: 1 }), {
      description: "Model ids that the answer's `model` replaces: { requested: answered }.",
    }),
    models_list: oneOf(
      ["prices", "features"],
      "What GET /v1/models says of a model. prices: sizes, limits, price. features: also `supported_features`, `output_modality` and `cost`.",
    ),
    // What callers learn about the providers behind a model. Callers with an admin's key learn everything.
    provider_names: oneOf(
      ["show", "hide"],
      "Whether callers are told the provider. hide: no `x-embedgate-provider`, `owned_by` is `embedgate`, and errors leave out the provider's message; the log has it. A model whose vectors are not in the space it claims gets a space with the provider's name in it: set such a model's `space`.",
    ),
    prices: oneOf(
      ["cost", "sold", "hide"],
      "The price in GET /v1/models. cost: the model's price. sold: the price times `money.markup`. hide: none.",
    ),
    force_provider: oneOf(
      ["everyone", "admins"],
      "Who may force a provider by a header. admins: callers with an admin's key only; others are answered 403. Set `everyone` for a workspace that may.",
    ),
    // Headers.
    provider_header: nullable(
      Type.String({ pattern: "^[A-Za-z0-9-]{1,64}$", description: "1 to 64 letters, digits and dashes" }),
      "A header that forces a provider, in addition to X-Embedgate-Provider.",
    ),
  },
  {
    additionalProperties: false,
    description: "Differences between variants of OpenAI's API.",
  },
);
export type Policies = Readonly<Static<typeof Policies>>;

/** The fields whose use is a policy. */
export const FIELDS_BY_POLICY = ["dimensions", "user", "metadata", "extra_body", "stream"] as const;
export type FieldByPolicy = (typeof FIELDS_BY_POLICY)[number];

export const PolicyOverrides = Type.Partial(Policies, {
  additionalProperties: false,
  description: "Policies that override the dialect's.",
});
export type PolicyOverrides = Readonly<Static<typeof PolicyOverrides>>;
