/**
 * Mistral's SDKs, whose list of models has types and capabilities; they request embeddings like OpenAI's (`id` in the answer is a policy,
 * reply_id). They are recognised by their user agent. Source: docs.mistral.ai/api (models).
 */
import { type TSchema, Type } from "@sinclair/typebox";
import { encodeError } from "../openai";
import { Model } from "../openai-schema";
import type { KnownPath, ModelEntry, Wire } from "../wire";

const NOTHING_BUT_EMBEDDINGS = {
  completion_chat: false,
  completion_fim: false,
  function_calling: false,
  fine_tuning: false,
  vision: false,
};

const MistralModel = Type.Object(
  {
    ...Model.properties,
    type: Type.Literal("base"),
    capabilities: Type.Record(Type.String(), Type.Boolean()),
    max_context_length: Type.Optional(Type.Integer()),
  },
  { examples: [asMistral(Model.examples[0])] },
);

const isMistralSdk = ({ headers }: Pick<Request, "headers">) =>
  /mistral-client|@mistralai/i.test(headers.get("user-agent") ?? "");

const asked: Pick<KnownPath, "does" | "method" | "when"> = {
  does: "tell",
  method: "GET",
  when: isMistralSdk,
};

export const mistralWire: Wire = {
  tag: { name: "models", description: "Models that clients can request." },
  paths: [
    {
      ...asked,
      path: "/v1/models",
      tell: (_, gateway) => ({ body: { object: "list", data: gateway.models().map(asMistral) } }),
      words: {
        operationId: "mistralListModels",
        summary: "List the models, for Mistral's SDKs",
        response: "MistralModelList",
      },
    },
    {
      ...asked,
      path: "/v1/models/{model}",
      tell: ({ params }, gateway) => ({ body: asMistral(gateway.model(params.model ?? "")) }),
      words: {
        operationId: "mistralShowModel",
        summary: "Show one model, for Mistral's SDKs",
        response: "MistralModel",
      },
    },
  ],
  encodeError,
  errorSchema: "ErrorResponse",
  schemas: (): Readonly<Record<string, TSchema>> => ({
    MistralModel,
    MistralModelList: Type.Object(
      { object: Type.Literal("list"), data: Type.Array(MistralModel) },
      { examples: [{ object: "list", data: MistralModel.examples }] },
    ),
  }),
};

function asMistral(entry: ModelEntry) {
  const { max_input_tokens } = entry;
  return {
    ...entry,
    type: "base" as const,
    capabilities: NOTHING_BUT_EMBEDDINGS,
    ...(max_input_tokens !== null && { max_context_length: max_input_tokens }),
  };
}
