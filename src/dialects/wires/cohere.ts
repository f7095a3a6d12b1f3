/**
 * Cohere's API, versions 1 and 2: embed, its list of models, its check of a key, and the path where Cohere speaks OpenAI's API.
 * A model of any provider may be asked so. A new field is in cohere-schema.ts; one that the provider must honour goes into `fields`.
 */
import type { Policies } from "../../domain/policies";
import type { EmbedRequest, Result } from "../../domain/request";
import type { Script } from "../../printing/script";
import { bare } from "../../printing/vectors";
import { modelAsked } from "../model-path";
import { decodeRequest, encodeError, usageOf } from "../openai";
import { decodeEmbeddings } from "../openai-embeddings";
import { divided, invalid } from "../own-words";
import { checkTexts } from "../texts";
import type { Asked, Decoded, KnownPath, ModelEntry, Wire, WirePath } from "../wire";
import { messageWithField } from "../with-field";
import { type CohereModel, type CohereWords, coheresWords, isCoheresWord, schemasOf } from "./cohere-schema";
import { type AskedType, inTypes, VECTOR_TYPES } from "./typed";

/** Its SDKs say so; their request for models does not. */
const isCohereSdk = ({ headers }: Pick<Request, "headers">) =>
  /^cohere/i.test(headers.get("x-fern-sdk-name") ?? headers.get("user-agent") ?? "");

const embedAt = (version: 1 | 2, description: string): WirePath => ({
  does: "embed",
  method: "POST",
  path: `/v${version}/embed`,
  decode: (body, asked) => decode(version, body, asked),
  words: {
    operationId: `cohereEmbedV${version}`,
    summary: `Embed texts with Cohere's API version ${version}`,
    description,
    request: "CohereEmbedRequest",
    response: "CohereEmbedResponse",
  },
});

const listing: KnownPath = {
  does: "tell",
  method: "GET",
  path: "/v1/models",
  when: (request) => new URL(request.url).searchParams.has("endpoint") || isCohereSdk(request),
  tell({ search }, gateway) {
    const asksForOthers = (search.get("endpoint") ?? "embed") !== "embed";
    const models = asksForOthers ? [] : gateway.models().filter(({ embeddings }) => embeddings);
    return { body: { models: models.map(asCohere) } };
  },
  words: {
    operationId: "cohereListModels",
    summary: "List the models, as Cohere does where `endpoint` is given",
    response: "CohereModelList",
  },
};

export const cohereWire: Wire = {
  tag: { name: "Cohere", description: "Cohere's API." },
  paths: [
    embedAt(
      1,
      "Without `embedding_types` the answer's `embeddings` is a list of embeddings; with them it is an object with a member for each type. Cohere's SDKs work with this gateway's address as their base URL.",
    ),
    embedAt(
      2,
      "Takes `texts`, or `inputs` of one text part each; `embeddings` has a member for each type. Cohere's SDKs work with this gateway's address as their base URL.",
    ),
    {
      does: "tell",
      method: "POST",
      path: "/v1/check-api-key",
      tell: () => ({ body: { valid: true } }),
      words: {
        operationId: "cohereCheckApiKey",
        summary: "Whether the key is valid; a wrong one is answered 401",
        response: "CohereKeyCheck",
      },
    },
    listing,
    {
      does: "tell",
      method: "GET",
      path: "/v1/models/{model}",
      when: isCohereSdk,
      tell: ({ params }, gateway) => ({ body: asCohere(gateway.model(params.model ?? "")) }),
      words: {
        operationId: "cohereShowModel",
        summary: "Show one model, as Cohere does for its SDKs",
        response: "CohereModel",
      },
    },
  ],
  prefixes: ["/v2"],
  policies: { invalid_status: 400, unknown_model_status: 404 },
  encodeError: (error) => JSON.stringify({ message: messageWithField(error) }),
  errorSchema: "CohereError",
  schemas: schemasOf,
};

/** OpenAI's API under Cohere's base URL for it. */
export const cohereCompatibilityWire: Wire = {
  tag: cohereWire.tag,
  paths: [
    {
      does: "embed",
      method: "POST",
      path: "/compatibility/v1/embeddings",
      decode(body, { policies }) {
        return decodeEmbeddings(body, policies);
      },
      words: {
        operationId: "cohereCompatibilityEmbeddings",
        summary: "Embed texts, at Cohere's path for OpenAI's SDKs: as /v1/embeddings",
        request: "EmbeddingsRequest",
        response: "EmbeddingsResponse",
      },
    },
  ],
  encodeError,
  errorSchema: "ErrorResponse",
  schemas: () => ({}),
};

function decode(version: 1 | 2, body: unknown, asked: Asked): Decoded {
  const { policies } = asked;
  const { words, rest } = divided(body, isCoheresWord, coheresWords());
  const { texts, holder, nameOf } = textsOf(words, rest);
  checkTexts(texts, holder, nameOf, policies);
  const { output_dimension, embedding_types, input_type, truncate } = words;
  const { request: plain, ignored } = decodeRequest(
    { ...rest, model: modelAsked(rest.model, asked, "path wins"), input: texts },
    policies,
  );
  if (isSaid(output_dimension) && (plain.dimensions ?? output_dimension) !== output_dimension)
    throw invalid("output_dimension", "and 'dimensions' differ: send one of them.");
  const types = VECTOR_TYPES.filter((type) => embedding_types?.includes(type));
  const request: EmbedRequest = {
    ...plain,
    dimensions: output_dimension ?? plain.dimensions,
    ...(types.length > 0 && { types }),
    longInput: "truncate",
    fields: {
      ...plain.fields,
      ...(isSaid(input_type) && { input_type }),
      ...(isSaid(truncate) && { truncate }),
    },
  };
  const typesAsked = embedding_types ?? (version === 1 ? undefined : (["float"] as const));
  const shape = { version, policies, texts, asked: typesAsked };
  return {
    request,
    ignored,
    encode: (result, requestId) => encode(shape, result, requestId),
    inputName: nameOf,
    fieldNames: { dimensions: "output_dimension" },
  };
}

const isSaid = (value: unknown) => value !== undefined && value !== null;

interface Texts {
  readonly texts: readonly string[];
  readonly holder: string;
  readonly nameOf: (place: number) => string;
}

function textsOf({ texts, inputs }: CohereWords, rest: Readonly<Record<string, unknown>>): Texts {
  if (isSaid(rest.input)) throw invalid("input", "is OpenAI's name: send 'texts'.");
  if (texts && inputs) throw invalid("inputs", "has inputs, and so has 'texts': send one of them.");
  if (texts) return { texts, holder: "texts", nameOf: (place) => `texts[${place}]` };
  if (!inputs) throw invalid("texts", "is missing: send the texts to embed.");
  const nameOf = (place: number) => `inputs[${place}].content[0].text`;
  const read = inputs.map(({ content }, place) => {
    const [part] = content;
    if (part?.type !== "text")
      throw invalid(
        `inputs[${place}].content[0]`,
        `must be of the type "text": images are not embedded here.`,
      );
    return part.text ?? "";
  });
  return { texts: read, holder: "inputs", nameOf };
}

interface Shape {
  readonly version: 1 | 2;
  readonly policies: Policies;
  readonly texts: readonly string[];
  /** Undefined: a list of floats, as version 1 answers where no types are asked for. */
  readonly asked: readonly AskedType[] | undefined;
}

function encode({ version, policies, texts, asked }: Shape, result: Result, id: string): Script {
  const about = JSON.stringify({
    id,
    texts,
    meta: { api_version: { version: String(version) }, billed_units: { input_tokens: result.tokens } },
    response_type: asked ? "embeddings_by_type" : "embeddings_floats",
  });
  const embeddings = asked
    ? ["{", ...inTypes(asked, result, "[", "]"), "}"]
    : ["[", bare(result.vectors), "]"];
  return {
    encoding: "float",
    passages: [
      `${about.slice(0, -1)},"embeddings":`,
      ...embeddings,
      `,"usage":${usageOf(result, policies)}}`,
    ],
  };
}

function asCohere({ id, embeddings, max_input_tokens, lifecycle }: ModelEntry): CohereModel {
  return {
    name: id,
    is_deprecated: lifecycle !== "active",
    endpoints: embeddings ? ["embed"] : [],
    finetuned: false,
    context_length: max_input_tokens,
    tokenizer_url: null,
    default_endpoints: [],
  };
}
