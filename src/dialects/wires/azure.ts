/**
 * Azure OpenAI's paths: the deployment's name in the path is the model's id, whatever the body says. Otherwise the API is OpenAI's.
 * `api-version` is accepted and not read. Source: learn.microsoft.com/azure/ai-foundry/openai/reference.
 */
import { type TObject, Type } from "@sinclair/typebox";
import type { Policies } from "../../domain/policies";
import { modelAsked } from "../model-path";
import { encodeError } from "../openai";
import { decodeEmbeddings } from "../openai-embeddings";
import { embeddingsRequest } from "../openai-request";
import type { Asked, Decoded, EmbedPath, KnownPath, ModelEntry, Wire } from "../wire";

const apiVersion = {
  name: "api-version",
  in: "query",
  description: "Accepted and ignored: the gateway's API has no versions.",
} as const;

const embedding: Pick<EmbedPath, "does" | "method" | "decode"> = { does: "embed", method: "POST", decode };
const listed = (models: readonly ModelEntry[]) => ({ object: "list", data: models });
const list: Pick<KnownPath, "does" | "method" | "tell"> = {
  does: "tell",
  method: "GET",
  tell: (_, gateway) => ({ body: listed(gateway.models()) }),
};

export const azureWire: Wire = {
  tag: { name: "Azure OpenAI", description: "Azure OpenAI's paths, for its SDKs." },
  paths: [
    {
      ...embedding,
      path: "/openai/deployments/{model}/embeddings",
      words: {
        operationId: "azureEmbeddings",
        summary: "Embed texts, at Azure OpenAI's path of a deployment",
        description:
          "As /v1/embeddings, but the path names the model: a model in the body is ignored. The key may be in the header `api-key`.",
        request: "AzureEmbeddingsRequest",
        response: "EmbeddingsResponse",
        parameters: [apiVersion],
      },
    },
    {
      ...embedding,
      path: "/openai/v1/embeddings",
      // For @ai-sdk/azure, whose base URL ends in /openai.
      aliases: ["/openai/embeddings"],
      words: {
        operationId: "azureV1Embeddings",
        summary: "Embed texts, at the path of Azure OpenAI's v1 API: as /v1/embeddings",
        request: "EmbeddingsRequest",
        response: "EmbeddingsResponse",
        parameters: [apiVersion],
      },
    },
    {
      ...list,
      path: "/openai/models",
      aliases: ["/openai/v1/models"],
      words: {
        operationId: "azureListModels",
        summary: "List the models, as GET /v1/models does",
        response: "ModelList",
        parameters: [apiVersion],
      },
    },
  ],
  prefixes: ["/openai"],
  // The API with `api-version`, and the v1 API.
  batchesAt: ["/openai", "/openai/v1"],
  encodeError,
  errorSchema: "ErrorResponse",
  schemas: (policies) => ({ AzureEmbeddingsRequest: requestOf(policies) }),
};

function requestOf(policies: Policies): TObject {
  const { properties, ...request } = embeddingsRequest(policies);
  const { model, ...others } = properties;
  return Type.Object(
    {
      ...others,
      ...(model && {
        model: Type.Optional({ ...model, description: "Ignored: the path names the model." }),
      }),
    },
    { additionalProperties: request.additionalProperties, examples: [{ input: ["one", "two"] }] },
  );
}

function decode(body: unknown, asked: Asked): Decoded {
  const isObject = typeof body === "object" && body !== null && !Array.isArray(body);
  const named: unknown = isObject && "model" in body ? body.model : undefined;
  const said = isObject ? { ...body, model: modelAsked(named, asked, "path wins") } : body;
  return decodeEmbeddings(said, asked.policies);
}
