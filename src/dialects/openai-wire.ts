/**
 * OpenAI's wire: its paths here, and their texts in the OpenAPI document. openai.ts and openai-embeddings.ts read requests and write answers.
 */
import { modelAsked } from "./model-path";
import { encodeError } from "./openai";
import { decodeEmbeddings } from "./openai-embeddings";
import { schemasOf } from "./openai-schema";
import type { Asked, Wire } from "./wire";

export const openaiWire: Wire = {
  tag: { name: "embeddings", description: "Texts to vectors." },
  paths: [
    {
      does: "embed",
      method: "POST",
      path: "/v1/embeddings",
      // The path of OpenAI's first SDKs.
      aliases: ["/v1/engines/{model}/embeddings"],
      decode: (body, asked) => decodeEmbeddings(inEngine(body, asked), asked.policies),
      words: {
        operationId: "createEmbeddings",
        summary: "Embed texts",
        description:
          "Returns one embedding per input, in input order; a provider's answer that cannot be verified is an error. Compatible with OpenAI's API: its SDKs need only this base URL and a key.",
        request: "EmbeddingsRequest",
        response: "EmbeddingsResponse",
      },
    },
  ],
  batchesAt: ["/v1"],
  encodeError,
  errorSchema: "ErrorResponse",
  schemas: schemasOf,
};

function inEngine(body: unknown, asked: Asked): unknown {
  if (asked.params.model === undefined || typeof body !== "object" || body === null) return body;
  const named: unknown = "model" in body ? body.model : undefined;
  return { ...body, model: modelAsked(named, asked, "must agree") };
}
