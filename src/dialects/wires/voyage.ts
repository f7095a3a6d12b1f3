/**
 * For Voyage AI's SDKs, which use OpenAI's path and read errors from `detail`: they get that in addition to OpenAI's error. Their requests
 * are read as on /v1/embeddings. Source: github.com/voyage-ai/voyageai-python, api_resources/api_requestor.py.
 */
import { Type } from "@sinclair/typebox";
import { encodeError } from "../openai";
import { decodeEmbeddings } from "../openai-embeddings";
import { ErrorResponse } from "../openai-schema";
import type { Wire } from "../wire";
import { messageWithField } from "../with-field";

/** The SDK for Python removes its own headers before it sends, so it looks like any program that uses requests or aiohttp. */
function mayBeVoyages(headers: Headers): boolean {
  if (headers.get("x-fern-sdk-name") === "voyageai") return true;
  return /^python-requests\/|\baiohttp\//.test(headers.get("user-agent") ?? "");
}

const [example] = ErrorResponse.examples;

export const voyageWire: Wire = {
  tag: { name: "embeddings", description: "Texts to vectors." },
  paths: [
    {
      does: "embed",
      method: "POST",
      path: "/v1/embeddings",
      when: ({ headers }) => mayBeVoyages(headers),
      decode: (body, { policies }) => decodeEmbeddings(body, policies),
      words: {
        operationId: "voyageEmbeddings",
        summary: "Embed texts, for Voyage AI's SDKs",
        request: "EmbeddingsRequest",
        response: "EmbeddingsResponse",
      },
    },
  ],
  encodeError: (error, policies) =>
    `{"detail":${JSON.stringify(messageWithField(error))},${encodeError(error, policies).slice(1)}`,
  errorSchema: "VoyageError",
  schemas: () => ({
    VoyageError: Type.Object(
      { detail: Type.String(), ...ErrorResponse.properties },
      { examples: [{ detail: example?.error.message, ...example }] },
    ),
  }),
};
