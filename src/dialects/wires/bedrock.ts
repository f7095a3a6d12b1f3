/**
 * Amazon's own words beside OpenAI's: Titan's `inputText` or Cohere's `texts`, answered in that vendor's shape; or `input`, answered as
 * /v1/embeddings does with further types beside the float. A model of any provider may be asked so, as far as it has what is asked.
 */

import type { GatewayError } from "../../domain/errors";
import type { Policies } from "../../domain/policies";
import type { EmbedRequest, Result } from "../../domain/request";
import type { Script } from "../../printing/script";
import { bare } from "../../printing/vectors";
import { modelAsked } from "../model-path";
import { decodeRequest, encodeError, encodeResult, usageOf } from "../openai";
import { divided, invalid } from "../own-words";
import { checkTexts } from "../texts";
import type { Asked, Decoded, Wire } from "../wire";
import { wordingOf } from "../wording";
import { type AmazonsWords, amazonsWords, isAmazonsWord, schemasOf } from "./bedrock-schema";
import { type AskedType, inTypes, VECTOR_TYPES } from "./typed";

export const bedrockWire: Wire = {
  tag: { name: "Amazon Bedrock", description: "The calls of Amazon Bedrock's runtime." },
  paths: [
    {
      does: "embed",
      method: "POST",
      path: "/v1/aws-bedrock/embeddings",
      // What Amazon's SDKs make of an endpoint of /v1/aws-bedrock, or of /v1/aws-bedrock/embeddings.
      aliases: ["/v1/aws-bedrock/model/{model}/invoke", "/v1/aws-bedrock/embeddings/model/{model}/invoke"],
      decode,
      words: {
        operationId: "createBedrockEmbeddings",
        summary: "Embed texts, in the words of Amazon Bedrock",
        description:
          "Takes `input`, or Titan's `inputText` (with `normalize`, `dimensions`, `embeddingTypes`) or Cohere's `texts` (with `input_type`, `truncate`, `embedding_types`, `output_dimension`), in snake_case or camelCase. Types other than float are proved beside their float vector, and never cached; a model that has them not is refused. Amazon's SDKs work with this gateway's /v1/aws-bedrock as their endpoint and a key of the gateway's as their token: …/model/MODEL/invoke is answered too.",
        request: "BedrockEmbeddingsRequest",
        response: "BedrockEmbeddingsResponse",
      },
    },
  ],
  prefixes: ["/v1/aws-bedrock"],
  encodeError: (error, policies) => withAmazonsWords(error, policies),
  errorSchema: "ErrorResponse",
  schemas: schemasOf,
};

function decode(body: unknown, asked: Asked): Decoded {
  const { policies } = asked;
  const { words, rest } = divided(body, isAmazonsWord, amazonsWords());
  rest.model = asked.params.model === undefined ? rest.model : modelAsked(rest.model, asked, "must agree");
  const { inputText, input_text, texts: list } = words;
  const text = said("input", { inputText, input_text });
  const texts = said("input", { texts: list });
  const own = textsOf(rest.input, text, texts, policies);
  if (own) rest.input = own.texts;
  const { request: plain, ignored } = decodeRequest(rest, policies);
  if (own && plain.encoding !== "float")
    throw invalid("encoding_format", 'must be "float": this shape holds numbers.');

  const size = sizeOf(words, plain.dimensions);
  const { input_type, inputType, embedding_types, embeddingTypes } = words;
  const task = said("input_type", { input_type, inputType });
  const typesAsked = said("embedding_types", { embedding_types, embeddingTypes });
  const types = VECTOR_TYPES.filter((type) => typesAsked?.value.includes(type));
  const request: EmbedRequest = {
    ...plain,
    dimensions: size?.value ?? plain.dimensions,
    ...(types.length > 0 && { types }),
    fields: {
      ...plain.fields,
      ...(task && { input_type: task.value }),
      ...(isSaid(words.truncate) && { truncate: words.truncate }),
      ...(isSaid(words.normalize) && { normalize: words.normalize }),
    },
  };
  const shape = { request, policies, asked: typesAsked?.value };
  return {
    request,
    ignored,
    encode(result, requestId) {
      if (text) return asTitan(shape, result);
      return texts
        ? asCohere(shape, result, requestId, texts.value)
        : encodeResult(request, result, policies);
    },
    ...(own && { inputName: own.nameOf }),
    fieldNames: Object.fromEntries(
      [size, task, typesAsked].flatMap((one) => (one ? [[one.setting, one.field]] : [])),
    ),
  };
}

interface Said<Value> {
  readonly value: Value;
  /** As the caller wrote it. */
  readonly field: string;
  readonly setting: string;
}

const isSaid = (value: unknown) => value !== undefined && value !== null;

/**
 * What is said of a setting, by whichever of its spellings.
 * @param setting what the gateway calls it
 * @throws GatewayError invalid where two spellings say different things
 */
function said<Value>(
  setting: string,
  spellings: Readonly<Record<string, Value | null | undefined>>,
): Said<Value> | undefined {
  let first: Said<Value> | undefined;
  for (const [field, value] of Object.entries(spellings)) {
    if (value === undefined || value === null) continue;
    if (first && !Bun.deepEquals(first.value, value))
      throw invalid(field, `and '${first.field}' differ: say one of them.`);
    first ??= { value, field, setting };
  }
  return first;
}

function sizeOf(words: AmazonsWords, dimensions: number | undefined): Said<number> | undefined {
  const { output_dimension, outputDimension, embeddingConfig, embedding_config } = words;
  return said("dimensions", {
    dimensions,
    output_dimension,
    outputDimension,
    "embeddingConfig.outputEmbeddingLength": embeddingConfig?.outputEmbeddingLength,
    "embeddingConfig.output_embedding_length": embeddingConfig?.output_embedding_length,
    "embedding_config.outputEmbeddingLength": embedding_config?.outputEmbeddingLength,
    "embedding_config.output_embedding_length": embedding_config?.output_embedding_length,
  });
}

/** @throws GatewayError invalid where nothing is to be embedded, or it is said twice */
function textsOf(
  input: unknown,
  text: Said<string> | undefined,
  texts: Said<readonly string[]> | undefined,
  policies: Policies,
): { readonly texts: readonly string[]; readonly nameOf: (place: number) => string } | undefined {
  const plain = (input ?? null) === null ? [] : ["input"];
  const [first, second] = [...plain, ...[text, texts].flatMap((one) => (one ? [one.field] : []))];
  if (first === undefined) throw invalid("input", "is missing: send it, or 'inputText', or 'texts'.");
  if (second !== undefined)
    throw invalid(second, `says what to embed, and so does '${first}': send one of them.`);
  if (!text && !texts) return undefined;
  const nameOf = (place: number) => (texts ? `${texts.field}[${place}]` : (text?.field ?? "input"));
  const all = texts?.value ?? [text?.value ?? ""];
  checkTexts(all, texts?.field ?? "input", nameOf, policies);
  return { texts: all, nameOf };
}

interface Shape {
  readonly policies: Policies;
  /** As the caller asked, float among them or not; undefined where nothing was said. */
  readonly asked: readonly AskedType[] | undefined;
}

/** "embedding … will always be type float"; `embeddingsByType` holds what was asked for, else float. */
function asTitan({ policies, asked = ["float"] }: Shape, result: Result): Script {
  const passages: Passages = [
    '{"embedding":',
    bare(result.vectors),
    ',"embeddingsByType":{',
    ...inTypes(asked, result),
    `},"inputTextTokenCount":${result.tokens},"usage":${usageOf(result, policies)}}`,
  ];
  return { encoding: "float", passages };
}

function asCohere(
  { policies, asked }: Shape,
  result: Result,
  requestId: string,
  texts: readonly string[],
): Script {
  const about = JSON.stringify({
    id: requestId,
    texts,
    response_type: asked ? "embeddings_by_type" : "embeddings_floats",
  });
  const embeddings: Passages = asked
    ? ["{", ...inTypes(asked, result, "[", "]"), "}"]
    : ["[", bare(result.vectors), "]"];
  const passages: Passages = [
    `${about.slice(0, -1)},"embeddings":`,
    ...embeddings,
    `,"usage":${usageOf(result, policies)}}`,
  ];
  return { encoding: "float", passages };
}

type Passages = Script["passages"];

/** OpenAI's envelope, with what Amazon's SDKs look for beside it. */
function withAmazonsWords(error: GatewayError, policies: Policies): string {
  const { status } = wordingOf(error, policies);
  const amazons = JSON.stringify({
    message: error.message,
    __type: EXCEPTIONS[status] ?? (status < 500 ? "ValidationException" : "InternalServerException"),
  });
  return `${encodeError(error, policies).slice(0, -1)},${amazons.slice(1)}`;
}

const EXCEPTIONS: Readonly<Record<number, string>> = {
  401: "AccessDeniedException",
  402: "ServiceQuotaExceededException",
  403: "AccessDeniedException",
  404: "ResourceNotFoundException",
  429: "ThrottlingException",
  503: "ServiceUnavailableException",
  504: "ModelTimeoutException",
};
