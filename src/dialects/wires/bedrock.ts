/**
 * Amazon Bedrock's API: requests with Titan's `inputText`, Cohere's `texts` or Nova's `singleEmbeddingParams`, answered in the same format; or with
 * `input`, answered like /v1/embeddings, with additional types of vectors. It works for models of any provider that support what is requested.
 */

import { GatewayError } from "../../domain/errors";
import type { Policies } from "../../domain/policies";
import type { EmbedRequest, Result } from "../../domain/request";
import type { Script } from "../../printing/script";
import { bare } from "../../printing/vectors";
import { modelAsked } from "../model-path";
import { decodeRequest, encodeError, encodeResult, usageOf } from "../openai";
import { divided, invalid } from "../own-words";
import { checkTexts } from "../texts";
import type { Asked, Decoded, Wire } from "../wire";
import { messageWithField } from "../with-field";
import { wordingOf } from "../wording";
import { type AmazonsWords, amazonsWords, isAmazonsWord, schemasOf } from "./bedrock-schema";
import { type AskedType, inTypes, VECTOR_TYPES } from "./typed";

export const bedrockWire: Wire = {
  tag: { name: "Amazon Bedrock", description: "The API of Amazon Bedrock's runtime." },
  paths: [
    {
      does: "embed",
      method: "POST",
      path: "/v1/aws-bedrock/embeddings",
      decode,
      words: {
        operationId: "createBedrockEmbeddings",
        summary: "Embed texts with Amazon Bedrock's API",
        description:
          "Takes `input`, or Titan's `inputText` (with `normalize`, `dimensions`, `embeddingTypes`), Cohere's `texts` (with `input_type`, `truncate`, `embedding_types`, `output_dimension`) or Nova's `singleEmbeddingParams`, in snake_case or camelCase. Types other than float are checked against their float vector and never cached; a model without them is refused.",
        request: "BedrockEmbeddingsRequest",
        response: "BedrockEmbeddingsResponse",
      },
    },
    {
      does: "embed",
      method: "POST",
      path: "/model/{model}/invoke",
      // The paths of Amazon's SDKs with the endpoint /v1/aws-bedrock or /v1/aws-bedrock/embeddings.
      aliases: ["/v1/aws-bedrock/model/{model}/invoke", "/v1/aws-bedrock/embeddings/model/{model}/invoke"],
      // @aws-sdk/client-bedrock-runtime sends this without a contentType.
      mediaTypes: ["application/octet-stream"],
      decode,
      words: {
        operationId: "bedrockInvokeModel",
        summary: "Embed texts, at the path of Amazon's SDKs",
        description:
          "As /v1/aws-bedrock/embeddings. Amazon's SDKs work with this gateway's address as their endpoint and a key of the gateway's as their bearer token (AWS_BEARER_TOKEN_BEDROCK), over HTTP/1.1 or HTTP/2. Requests signed with SigV4 are refused. The model may be an ARN or the id of an inference profile: without its region, that is the model's id. An ARN that does not name its model (application inference profile, provisioned throughput) is found by its last part, or as a whole, in `models` of the routing file.",
        request: "BedrockInvokeRequest",
        response: "BedrockEmbeddingsResponse",
      },
    },
  ],
  prefixes: ["/v1/aws-bedrock", "/model", "/guardrail", "/foundation-models"],
  encodeError: withAmazonsWords,
  errorHeaders: (error, policies) => ({ "x-amzn-errortype": exceptionOf(error, policies) }),
  errorSchema: "ErrorResponse",
  schemas: schemasOf,
};

function decode(body: unknown, asked: Asked): Decoded {
  const { policies } = asked;
  const { words, rest } = divided(body, isAmazonsWord, amazonsWords());
  rest.model = asked.params.model === undefined ? rest.model : modelAsked(rest.model, asked, "must agree");
  const { inputText, input_text, texts: list, singleEmbeddingParams: nova } = words;
  const text = said("input", { inputText, input_text });
  const texts = said("input", { texts: list });
  const novas = said("input", { "singleEmbeddingParams.text.value": nova?.text.value });
  const own = textsOf(rest.input, [text, novas], texts, policies);
  if (own) rest.input = own.texts;
  const { request: plain, ignored } = decodeRequest(rest, policies);
  if (own && plain.encoding !== "float")
    throw invalid("encoding_format", 'must be "float": this shape holds numbers.');

  const size = sizeOf(words, plain.dimensions);
  const { input_type, inputType, embedding_types, embeddingTypes } = words;
  const purpose = nova?.embeddingPurpose;
  const task = said("input_type", {
    input_type,
    inputType,
    "singleEmbeddingParams.embeddingPurpose": purpose,
  });
  const cut = said("truncate", {
    truncate: words.truncate,
    "singleEmbeddingParams.text.truncationMode": nova?.text.truncationMode,
  });
  const typesAsked = said("embedding_types", { embedding_types, embeddingTypes });
  const types = VECTOR_TYPES.filter((type) => typesAsked?.value.includes(type));
  const request: EmbedRequest = {
    ...plain,
    dimensions: size?.value ?? plain.dimensions,
    ...(types.length > 0 && { types }),
    fields: {
      ...plain.fields,
      ...(task && { input_type: task.value }),
      ...(cut && { truncate: cut.value }),
      ...(isSaid(words.normalize) && { normalize: words.normalize }),
    },
  };
  const shape = { request, policies, asked: typesAsked?.value };
  return {
    request,
    ignored,
    encode(result, requestId) {
      if (text) return asTitan(shape, result);
      if (novas) return asNova(shape, result);
      return texts
        ? asCohere(shape, result, requestId, texts.value)
        : encodeResult(request, result, policies, { id: requestId });
    },
    headers: ({ tokens }, requestId) => ({
      "x-amzn-requestid": requestId,
      "x-amzn-bedrock-input-token-count": String(tokens),
    }),
    otherNames: namesMeantBy(request.model),
    unknownHint: hintFor(request.model),
    ...(own && { inputName: own.nameOf }),
    fieldNames: Object.fromEntries(
      [size, task, cut, typesAsked].flatMap((one) => (one ? [[one.setting, one.field]] : [])),
    ),
  };
}

/** The model's id in an ARN or an inference profile's id: `us.cohere.embed-v4:0` is cohere.embed-v4:0 in several regions. */
function namesMeantBy(model: string): readonly string[] {
  const named = /^arn:[^/]+\/(.+)$/.exec(model)?.[1] ?? model;
  const everywhere = named.replace(/^(us-gov|us|eu|apac|ap|jp|au|ca|sa|me|af|il|mx|global)\./, "");
  return [named, everywhere].filter((name) => name !== model);
}

/** Kinds of ARN that end with a model's id. */
const NAMING: readonly string[] = ["foundation-model", "inference-profile"];

/** Other ARNs (application inference profiles, provisioned throughput, deployments of custom models) do not contain the model's id. */
function hintFor(model: string): string | undefined {
  const slash = model.indexOf("/");
  if (!model.startsWith("arn:") || slash === -1) return undefined;
  const kind = model.slice(model.lastIndexOf(":", slash) + 1, slash);
  if (kind === "" || NAMING.includes(kind)) return undefined;
  const id = model.slice(slash + 1, slash + 101);
  return `An ARN of the kind ${kind.slice(0, 50)} does not say which model it is: add \`${id}: { alias_of: MODEL }\` to \`models\` in the routing file.`;
}

interface Said<Value> {
  readonly value: Value;
  /** The field, as the caller wrote it. */
  readonly field: string;
  readonly setting: string;
}

const isSaid = (value: unknown) => value !== undefined && value !== null;

/**
 * The value of a setting, in any of its spellings.
 * @param setting the gateway's name of it
 * @throws GatewayError invalid if two spellings have different values
 */
function said<Value>(
  setting: string,
  spellings: Readonly<Record<string, Value | null | undefined>>,
): Said<Value> | undefined {
  let first: Said<Value> | undefined;
  for (const [field, value] of Object.entries(spellings)) {
    if (value === undefined || value === null) continue;
    if (first && !Bun.deepEquals(first.value, value))
      throw invalid(field, `and '${first.field}' differ: send one of them.`);
    first ??= { value, field, setting };
  }
  return first;
}

function sizeOf(words: AmazonsWords, dimensions: number | undefined): Said<number> | undefined {
  const { output_dimension, outputDimension, embeddingConfig, embedding_config } = words;
  const { singleEmbeddingParams } = words;
  return said("dimensions", {
    dimensions,
    output_dimension,
    outputDimension,
    "singleEmbeddingParams.embeddingDimension": singleEmbeddingParams?.embeddingDimension,
    "embeddingConfig.outputEmbeddingLength": embeddingConfig?.outputEmbeddingLength,
    "embeddingConfig.output_embedding_length": embeddingConfig?.output_embedding_length,
    "embedding_config.outputEmbeddingLength": embedding_config?.outputEmbeddingLength,
    "embedding_config.output_embedding_length": embedding_config?.output_embedding_length,
  });
}

/** @throws GatewayError invalid if there is no input, or it is given twice */
function textsOf(
  input: unknown,
  single: readonly (Said<string> | undefined)[],
  texts: Said<readonly string[]> | undefined,
  policies: Policies,
): { readonly texts: readonly string[]; readonly nameOf: (place: number) => string } | undefined {
  const plain = (input ?? null) === null ? [] : ["input"];
  const [first, second] = [...plain, ...[...single, texts].flatMap((one) => (one ? [one.field] : []))];
  if (first === undefined)
    throw invalid("input", "is missing: send it, or 'inputText', 'texts' or 'singleEmbeddingParams'.");
  if (second !== undefined) throw invalid(second, `has inputs, and so has '${first}': send one of them.`);
  if (plain.length > 0) return undefined;
  const nameOf = (place: number) => (texts ? `${first}[${place}]` : first);
  const all = texts?.value ?? single.flatMap((one) => (one ? [one.value] : []));
  checkTexts(all, first, nameOf, policies);
  return { texts: all, nameOf };
}

interface Shape {
  readonly policies: Policies;
  /** The requested types, with or without float; undefined if none were named. */
  readonly asked: readonly AskedType[] | undefined;
}

/** "embedding … will always be type float"; `embeddingsByType` has the requested types, or float. */
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

function asNova({ policies }: Shape, result: Result): Script {
  const passages: Passages = [
    '{"embeddings":[{"embeddingType":"TEXT","embedding":',
    bare(result.vectors),
    `}],"inputTokenCount":${result.tokens},"usage":${usageOf(result, policies)}}`,
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

/** OpenAI's error format, with the fields that Amazon's SDKs read. */
function withAmazonsWords(error: GatewayError, policies: Policies): string {
  const told = error.kind === "no_key" ? withHint(error) : error;
  const amazons = JSON.stringify({ message: messageWithField(told), __type: exceptionOf(error, policies) });
  return `${encodeError(told, policies).slice(0, -1)},${amazons.slice(1)}`;
}

/** For requests with a signature instead of a key. */
const withHint = (error: GatewayError) =>
  new GatewayError(
    error.kind,
    `${error.message} Amazon's SDKs send it where AWS_BEARER_TOKEN_BEDROCK holds it.`,
    error,
  );

function exceptionOf(error: GatewayError, policies: Policies): string {
  const { status } = wordingOf(error, policies);
  return EXCEPTIONS[status] ?? (status < 500 ? "ValidationException" : "InternalServerException");
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
