/**
 * LM Studio's own REST paths: its list of models, and OpenAI's embeddings beside it. Its SDK speaks over a WebSocket and is not served.
 * Source: lmstudio.ai/docs/developer/rest/endpoints.
 */
import { Type } from "@sinclair/typebox";
import { decodeEmbeddings } from "../openai-embeddings";
import type { ModelEntry, Wire } from "../wire";
import { messageWithField } from "../with-field";

const Listed = Type.Object(
  {
    id: Type.String(),
    object: Type.Literal("model"),
    type: Type.Union([Type.Literal("embeddings"), Type.Literal("llm")]),
    publisher: Type.String({ description: "The provider, by its name in the routing file." }),
    arch: Type.String(),
    compatibility_type: Type.String(),
    quantization: Type.String(),
    state: Type.Literal("loaded", { description: "All models answer at once." }),
    max_context_length: Type.Union([Type.Integer(), Type.Null()], {
      description: "Tokens; null: not known.",
    }),
  },
  {
    examples: [
      {
        id: "all-MiniLM-L6-v2",
        object: "model",
        type: "embeddings",
        publisher: "local",
        arch: "",
        compatibility_type: "",
        quantization: "",
        state: "loaded",
        max_context_length: 254,
      },
    ],
  },
);

export const lmStudioWire: Wire = {
  tag: { name: "LM Studio", description: "The REST paths of LM Studio." },
  paths: [
    {
      does: "tell",
      method: "GET",
      path: "/api/v0/models",
      tell: (_, gateway) => ({ body: { object: "list", data: gateway.models().map(listed) } }),
      words: {
        operationId: "lmStudioModels",
        summary: "List the models, as LM Studio does",
        response: "LmStudioModels",
      },
    },
    {
      does: "tell",
      method: "GET",
      path: "/api/v0/models/{model}",
      tell: ({ params }, gateway) => ({ body: listed(gateway.model(params.model ?? "")) }),
      words: {
        operationId: "lmStudioModel",
        summary: "Show one model, as LM Studio does",
        response: "LmStudioModel",
      },
    },
    {
      does: "embed",
      method: "POST",
      path: "/api/v0/embeddings",
      decode: (body, { policies }) => decodeEmbeddings(body, policies),
      words: {
        operationId: "lmStudioEmbeddings",
        summary: "Embed texts, as /v1/embeddings does",
        request: "EmbeddingsRequest",
        response: "EmbeddingsResponse",
      },
    },
  ],
  prefixes: ["/api/v0"],
  encodeError: (error) => JSON.stringify({ error: messageWithField(error) }),
  errorSchema: "LmStudioError",
  schemas: () => ({
    LmStudioModel: Listed,
    LmStudioModels: Type.Object(
      { object: Type.Literal("list"), data: Type.Array(Listed) },
      { examples: [{ object: "list", data: [Listed.examples[0]] }] },
    ),
    LmStudioError: Type.Object({ error: Type.String() }, { examples: [{ error: "'input' is missing." }] }),
  }),
};

const listed = ({ id, owned_by, embeddings, max_input_tokens }: ModelEntry) => ({
  id,
  object: "model",
  type: embeddings ? "embeddings" : "llm",
  publisher: owned_by,
  arch: "",
  compatibility_type: "",
  quantization: "",
  state: "loaded",
  max_context_length: max_input_tokens,
});
