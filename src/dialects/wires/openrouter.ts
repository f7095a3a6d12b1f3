/**
 * OpenRouter's list of embedding models, by which pickers and other gateways choose. Its embeddings are OpenAI's wire.
 * Source: openrouter.ai/docs/api-reference/embeddings/list-embeddings-models.
 */
import { Type } from "@sinclair/typebox";
import { encodeError } from "../openai";
import type { GatewayFacts, ModelEntry, Wire } from "../wire";

const Listed = Type.Object({
  id: Type.String(),
  canonical_slug: Type.String(),
  name: Type.String(),
  created: Type.Integer({ description: "Seconds since 1970; the gateway's start." }),
  context_length: Type.Union([Type.Integer(), Type.Null()]),
  architecture: Type.Object({
    modality: Type.String(),
    input_modalities: Type.Array(Type.String()),
    output_modalities: Type.Array(Type.String()),
  }),
  pricing: Type.Object({
    prompt: Type.Union([Type.String(), Type.Null()], { description: "USD per token; null: not known." }),
    completion: Type.String(),
  }),
  supported_parameters: Type.Array(Type.String()),
});

export const openrouterWire: Wire = {
  tag: { name: "models", description: "Models that clients can request." },
  paths: [
    {
      does: "tell",
      method: "GET",
      path: "/v1/embeddings/models",
      tell: (_, gateway) => ({ body: { data: embedding(gateway).map(listed) } }),
      words: {
        operationId: "listEmbeddingModels",
        summary: "List the models that embed, as OpenRouter does",
        response: "EmbeddingModels",
      },
    },
  ],
  encodeError,
  errorSchema: "ErrorResponse",
  schemas: () => ({
    EmbeddingModels: Type.Object(
      { data: Type.Array(Listed) },
      {
        examples: [
          {
            data: [
              {
                id: "text-embedding-3-small",
                canonical_slug: "text-embedding-3-small",
                name: "text-embedding-3-small",
                created: 1780000000,
                context_length: 8192,
                architecture: ARCHITECTURE,
                pricing: { prompt: "0.00000002", completion: "0" },
                supported_parameters: ["dimensions"],
              },
            ],
          },
        ],
      },
    ),
  }),
};

const ARCHITECTURE = {
  modality: "text->embeddings",
  input_modalities: ["text"],
  output_modalities: ["embeddings"],
};

const embedding = (gateway: GatewayFacts) => gateway.models().filter(({ embeddings }) => embeddings);

const listed = ({
  id,
  created,
  max_input_tokens,
  price_usd_per_million_tokens,
  dimensions_allowed,
}: ModelEntry) => ({
  id,
  canonical_slug: id,
  name: id,
  created,
  context_length: max_input_tokens,
  architecture: ARCHITECTURE,
  pricing: { prompt: perToken(price_usd_per_million_tokens), completion: "0" },
  supported_parameters: dimensions_allowed === null ? [] : ["dimensions"],
});

/** A decimal number without an exponent, as OpenRouter writes it. */
function perToken(perMillion: number | null): string | null {
  if (perMillion === null) return null;
  const written = (perMillion / 1e6)
    .toFixed(15)
    .replace(/(?<!0)0+$/, "")
    .replace(/\.$/, "");
  return written === "" ? "0" : written;
}
