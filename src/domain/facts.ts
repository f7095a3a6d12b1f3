/**
 * What the gateway knows about a model: one schema for the catalogue, for a plugin's own models and for gateway.yaml.
 * To add a fact, add a line here; the catalogue and the routing file can then both set it.
 */
import { type Static, Type } from "@sinclair/typebox";

/** What to do with an input that exceeds the model's limit. */
export const LongInput = Type.Union(
  [Type.Literal("reject"), Type.Literal("truncate"), Type.Literal("average")],
  {
    description:
      "What happens to an input that is longer than the model takes. reject: it is refused. truncate: it is cut to the limit. average: it is cut into pieces whose vectors are averaged by tokens and normalised.",
  },
);
export type LongInput = Static<typeof LongInput>;

/** The dimensions that requests may ask for: a list, or all between two bounds. */
export const DimensionsAllowed = Type.Union(
  [
    Type.Array(Type.Integer({ minimum: 1 }), { minItems: 1 }),
    Type.Object(
      { min: Type.Integer({ minimum: 1 }), max: Type.Integer({ minimum: 1 }) },
      { additionalProperties: false },
    ),
  ],
  { description: "Dimensions that requests may ask for: a list, or { min, max }." },
);
export type DimensionsAllowed = Static<typeof DimensionsAllowed>;

const count = (description: string) => Type.Integer({ minimum: 1, description });

/** Every fact is optional, as each source has only what it knows; `ModelFacts` is the completed set. */
export const KnownFacts = Type.Object(
  {
    dimensions: Type.Optional(count("Numbers in one embedding, unless a request asks for another size.")),
    dimensions_allowed: Type.Optional(DimensionsAllowed),
    dimensions_policy: Type.Optional(
      Type.Union([Type.Literal("native"), Type.Literal("truncate")], {
        description:
          "native: only sizes the model makes itself. truncate: cut and renormalise; right only for models trained for it (Matryoshka).",
      }),
    ),
    max_inputs: Type.Optional(count("Maximum inputs in one call to the provider.")),
    max_input_tokens: Type.Optional(count("Maximum tokens in one input.")),
    max_call_tokens: Type.Optional(count("Maximum tokens in one call to the provider.")),
    max_call_bytes: Type.Optional(count("Maximum bytes of input text in one call to the provider.")),
    price: Type.Optional(
      Type.Number({ minimum: 0, maximum: 1000, description: "USD per million input tokens." }),
    ),
    normalized: Type.Optional(
      Type.Boolean({
        description:
          "true: the model's vectors have unit length; the gateway normalises those of a server that does not. false: their length is kept. Default: as in the catalogue, else they stay as they come.",
      }),
    ),
    long_input: Type.Optional(LongInput),
    tokenizer: Type.Optional(
      Type.Union([Type.Literal("cl100k_base"), Type.Literal("bert_uncased")], {
        description:
          "The model's tokenizer, for counting and truncating texts: bert_uncased is that of bge-*-en, e5-*-v2, gte-*, mxbai, nomic and arctic.",
      }),
    ),
    uncounted: Type.Optional(
      Type.Union([Type.Literal("refuse"), Type.Literal("send")], {
        description:
          "For models without a known tokenizer. refuse: texts that could be too long are refused; two letters of a word, each digit and each punctuation mark count as a token. send: the provider decides.",
      }),
    ),
    token_ids: Type.Optional(
      Type.Union([Type.Literal("native"), Type.Literal("decode")], {
        description: "native: the provider takes token ids. decode: they are turned into text first.",
      }),
    ),
    task_types: Type.Optional(
      Type.Array(Type.String(), { description: "Tasks that the model distinguishes." }),
    ),
    prompts: Type.Optional(
      Type.Union(
        [
          Type.Literal(false),
          Type.Record(Type.String({ minLength: 1, maxLength: 100 }), Type.String({ maxLength: 4_000 }), {
            description: "A prompt for each task.",
          }),
        ],
        {
          description:
            'Prompts that the model was trained to see before a text, by task: { query: "query: ", document: "passage: " }. Put before the texts of requests with that task, if the provider has no parameter for it; prompts set here always are. false: never.',
        },
      ),
    ),
    default_task: Type.Optional(
      Type.String({
        minLength: 1,
        maxLength: 100,
        description: "The task of requests without one, for models that need a prompt before every text.",
      }),
    ),
    embedding_types: Type.Optional(
      Type.Array(
        Type.Union([
          Type.Literal("int8"),
          Type.Literal("uint8"),
          Type.Literal("binary"),
          Type.Literal("ubinary"),
        ]),
        {
          description: "Vector types that the model supports in addition to float.",
        },
      ),
    ),
    wire_encoding: Type.Optional(
      Type.Union([Type.Literal("float"), Type.Literal("base64")], {
        description:
          "How vectors are requested from the provider; independent of the client's encoding_format.",
      }),
    ),
    end_of_life: Type.Optional(
      Type.String({
        pattern: "^20\\d{2}-(0[1-9]|1[0-2])-(0[1-9]|[12]\\d|3[01])$",
        expected: "a day, such as 2026-01-14",
        description: "The first day (UTC) on which the provider may no longer serve the model.",
      }),
    ),
    reply_names: Type.Optional(
      Type.Array(Type.String(), {
        description: "Other names of this model in the provider's replies.",
      }),
    ),
  },
  { additionalProperties: false },
);
export type KnownFacts = Static<typeof KnownFacts>;

/** The facts that every route has: those that no source has get a safe default. */
export interface ModelFacts extends KnownFacts {
  readonly dimensions_policy: "native" | "truncate";
  readonly max_inputs: number;
  readonly long_input: LongInput;
  readonly uncounted: "refuse" | "send";
  readonly token_ids: "native" | "decode";
  readonly wire_encoding: "float" | "base64";
  readonly reply_names: string[];
}

const DEFAULTS: ModelFacts = {
  dimensions_policy: "native",
  max_inputs: 2048,
  long_input: "reject",
  uncounted: "refuse",
  token_ids: "decode",
  wire_encoding: "float",
  reply_names: [],
};

/**
 * Combines the facts of several sources; for each fact the last source that has it wins.
 * @param sources the plugin's facts, then the catalogue's, then the routing file's
 */
export function completeFacts(...sources: readonly (KnownFacts | undefined)[]): ModelFacts {
  const known = sources.map((source = {}) =>
    Object.fromEntries(Object.entries(source).filter(([, value]) => value !== undefined)),
  );
  return Object.assign({}, DEFAULTS, ...known);
}

/** The vocabulary of token arrays, whatever the model's own is: clients that know no other use it (LangChain's default). */
export const TOKEN_ARRAYS = "cl100k_base";
