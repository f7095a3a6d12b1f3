/**
 * Google's own paths, of the Gemini API and of Vertex AI, under every base URL that its SDKs use: embedContent, batchEmbedContents and
 * the lists of models. google-count.ts has countTokens, gemini.ts the meaning of fields, vertex.ts Vertex AI's predict; errors are Google's.
 */
import { GatewayError } from "../../domain/errors";
import type { EmbedPath, KnownPath, ModelEntry, Wire } from "../wire";
import { decodeGemini } from "./gemini";
import { counting, countSchemas } from "./google-count";
import { encodeGoogleError, GoogleError } from "./google-errors";
import { type GoogleModel, googleSchemas } from "./google-schema";
import { predicting } from "./vertex";

/** What may precede `models/`: a version, Vertex AI's project and location, this gateway's path for Google's API. */
const BASES = [
  "",
  "/{version}",
  "/v1/gemini",
  "/v1/gemini/{version}",
  "/v1/gemini/embeddings",
  "/v1/gemini/embeddings/{version}",
  "/{version}/publishers/google",
  "/{version}/projects/{project}/locations/{location}/publishers/google",
];

const everywhere = (call: string) => BASES.map((base) => `${base}/models/{model}:${call}`);

const embedding = (call: string, summary: string, request: string): EmbedPath => ({
  does: "embed",
  method: "POST",
  path: `/v1beta/models/{model}:${call}`,
  aliases: everywhere(call),
  decode: decodeGemini,
  words: {
    operationId: `google_${call}`,
    summary,
    description:
      "For any model. Google's SDKs work with this gateway's address as their base URL, and with its /v1/gemini; a key may also be in `?key=` or `x-goog-api-key`.",
    request,
    response: "GeminiEmbeddingsResponse",
  },
});

/** OpenAI's list has the same path: Google's clients are recognised by where they put their key. */
const isGoogles = ({ headers, url }: Pick<Request, "headers" | "url">) =>
  headers.has("x-goog-api-client") || headers.has("x-goog-api-key") || new URL(url).searchParams.has("key");

/** Another method is not part of a model's id. */
const namesModel = ({ url }: Pick<Request, "url">) =>
  !/(?::|%3[aA])[a-z]+[A-Z]\w*$/.test(new URL(url).pathname);

/** Other APIs have paths that end in a model's id, which would take the method for a part of it. */
const otherCalls: KnownPath = {
  does: "tell",
  method: "POST",
  path: "/v1beta/models/{model}:{call}",
  aliases: ["/v1/models/{model}:{call}", ...everywhere("{call}")],
  when: (request) => !namesModel(request),
  isHidden: true,
  tell({ params }) {
    throw new GatewayError(
      "unknown_path",
      `'${params.call}' is not supported here: this gateway makes embeddings, by :embedContent and :batchEmbedContents.`,
    );
  },
  words: { operationId: "googleOtherCall", summary: "Google's other calls are refused" },
};

const list: Pick<KnownPath, "does" | "method" | "tell"> = {
  does: "tell",
  method: "GET",
  tell: (_, gateway) => ({
    body: { models: gateway.models().flatMap((model) => (model.embeddings ? [asGoogle(model)] : [])) },
  }),
};
const one: Pick<KnownPath, "does" | "method" | "tell"> = {
  does: "tell",
  method: "GET",
  tell: ({ params }, gateway) => ({ body: asGoogle(gateway.model(params.model ?? "")) }),
};
const listWords = {
  operationId: "googleListModels",
  summary: "List the models, as Google does",
  response: "GoogleModelList",
};
const oneWords = {
  operationId: "googleShowModel",
  summary: "Show one model, as Google does",
  response: "GoogleModel",
};

export const googleWire: Wire = {
  tag: { name: "Google", description: "The APIs of Google's Gemini and of Vertex AI." },
  paths: [
    embedding("embedContent", "Embed one content with Google's API", "GoogleEmbedContentRequest"),
    embedding("batchEmbedContents", "Embed several contents with Google's API", "GoogleBatchEmbedRequest"),
    predicting(everywhere("predict")),
    counting(everywhere("countTokens")),
    otherCalls,
    {
      ...list,
      path: "/v1beta/models",
      aliases: ["/v1/gemini/models", "/v1/gemini/{version}/models"],
      words: listWords,
    },
    {
      ...one,
      path: "/v1beta/models/{model}",
      when: namesModel,
      aliases: ["/v1/gemini/models/{model}", "/v1/gemini/{version}/models/{model}"],
      words: oneWords,
    },
    { ...list, path: "/v1/models", when: isGoogles, words: listWords },
    { ...one, path: "/v1/models/{model}", when: isGoogles, words: oneWords },
  ],
  prefixes: ["/v1beta", "/v1beta1"],
  encodeError: encodeGoogleError,
  errorSchema: "GoogleError",
  schemas: (policies) => ({ ...googleSchemas(policies), ...countSchemas, GoogleError }),
};

function asGoogle({ id, embeddings, max_input_tokens }: ModelEntry): GoogleModel {
  return {
    name: `models/${id}`,
    displayName: id,
    ...(max_input_tokens !== null && { inputTokenLimit: max_input_tokens }),
    supportedGenerationMethods: embeddings ? ["embedContent"] : [],
  };
}
