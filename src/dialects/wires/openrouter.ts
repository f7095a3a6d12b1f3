/**
 * OpenRouter's list of embedding models, which model pickers and other gateways use. Its embeddings are OpenAI's API.
 * Source: openrouter.ai/docs/api-reference/embeddings/list-embeddings-models.
 */
import { Type } from "@sinclair/typebox";
import { encodeError } from "../openai";
import type { GatewayFacts, ModelEntry, Question, Told, Wire } from "../wire";

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
    prompt: Type.String({ description: "USD per token; -1: not known, as OpenRouter writes it." }),
    completion: Type.String(),
  }),
  supported_parameters: Type.Array(Type.String()),
  // Members without which its SDKs cannot read the list.
  top_provider: Type.Object({
    context_length: Type.Union([Type.Integer(), Type.Null()]),
    max_completion_tokens: Type.Null(),
    is_moderated: Type.Boolean(),
  }),
  links: Type.Object({ details: Type.String({ description: "The model's own path here." }) }),
  per_request_limits: Type.Null(),
  default_parameters: Type.Null(),
  supported_voices: Type.Null(),
});

const isOpenrouterSdk = ({ headers }: Pick<Request, "headers">) =>
  /^speakeasy-sdk\/.*openrouter/i.test(headers.get("user-agent") ?? "");

export const openrouterWire: Wire = {
  tag: { name: "models", description: "Models that clients can request." },
  paths: [
    {
      does: "tell",
      method: "GET",
      path: "/v1/embeddings/models",
      tell: list,
      words: {
        operationId: "listEmbeddingModels",
        summary: "List the models that embed, as OpenRouter does",
        response: "EmbeddingModels",
      },
    },
    {
      does: "tell",
      method: "GET",
      path: "/v1/models",
      when: isOpenrouterSdk,
      tell: list,
      words: {
        operationId: "openrouterListModels",
        summary: "List the models that embed, for OpenRouter's SDKs",
        response: "EmbeddingModels",
      },
    },
  ],
  encodeError,
  errorSchema: "ErrorResponse",
  schemas: () => ({
    EmbeddingModels: Type.Object(
      {
        data: Type.Array(Listed),
        total_count: Type.Integer(),
        links: Type.Object({ next: Type.Null() }),
      },
      {
        examples: [
          {
            data: [
              listed({
                id: "text-embedding-3-small",
                created: 1780000000,
                max_input_tokens: 8192,
                price_usd_per_million_tokens: 0.02,
                dimensions_allowed: null,
              }),
            ],
            total_count: 1,
            links: { next: null },
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

/** As its SDKs page through it: they continue while a page is full. */
function list({ search }: Question, gateway: GatewayFacts): Told {
  const all = gateway.models().filter(({ embeddings }) => embeddings);
  const from = wholeNumber(search.get("offset")) ?? 0;
  const page = all.slice(from, from + (wholeNumber(search.get("limit")) ?? all.length));
  return { body: { data: page.map(listed), total_count: all.length, links: { next: null } } };
}

/** An invalid value is ignored. */
const wholeNumber = (said: string | null) =>
  said !== null && /^\d{1,6}$/.test(said) ? Number(said) : undefined;

type Facts = Pick<
  ModelEntry,
  "id" | "created" | "max_input_tokens" | "price_usd_per_million_tokens" | "dimensions_allowed"
>;

const listed = ({
  id,
  created,
  max_input_tokens,
  price_usd_per_million_tokens,
  dimensions_allowed,
}: Facts) => ({
  id,
  canonical_slug: id,
  name: id,
  created,
  context_length: max_input_tokens,
  architecture: ARCHITECTURE,
  pricing: { prompt: perToken(price_usd_per_million_tokens), completion: "0" },
  supported_parameters: dimensions_allowed === null ? [] : ["dimensions"],
  top_provider: { context_length: max_input_tokens, max_completion_tokens: null, is_moderated: false },
  links: { details: `/v1/models/${id}` },
  per_request_limits: null,
  default_parameters: null,
  supported_voices: null,
});

/** A decimal number without an exponent, as OpenRouter writes it. */
function perToken(perMillion: number | null): string {
  if (perMillion === null) return "-1";
  const written = (perMillion / 1e6)
    .toFixed(15)
    .replace(/(?<!0)0+$/, "")
    .replace(/\.$/, "");
  return written === "" ? "0" : written;
}
