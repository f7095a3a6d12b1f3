/**
 * OpenAI's embeddings wire, for OpenAI and whatever else speaks it, by `base_url`: POST {base_url}/embeddings.
 * Source: openai/openai-openapi (CreateEmbeddingRequest); how the wire is written and read is in openai-wire.ts.
 */
import type { Plugin } from "../src/plugin";
import { headersOf } from "./headers";
import { bodyOf, openaiWire, withPath } from "./openai-wire";

const plugin: Plugin = (host) => {
  const { t } = host;
  const wire = openaiWire(host);
  return host.provider({
    id: "openai",
    options: t.Object(
      {
        api_key: t.Optional(
          t.String({ minLength: 1, description: "Sent as a Bearer token; local servers often need none." }),
        ),
        base_url: t.String({
          default: "https://api.openai.com/v1",
          pattern: "^https?://[^\\s?#@]+$",
          description: "As OpenAI's own SDKs take it, with its version: /v1.",
        }),
        organization: t.Optional(t.String({ minLength: 1, description: "The header OpenAI-Organization." })),
        project: t.Optional(t.String({ minLength: 1, description: "The header OpenAI-Project." })),
        headers: t.Optional(
          t.Record(t.String(), t.String(), { description: "Further headers, such as a proxy's." }),
        ),
      },
      { additionalProperties: false },
    ),
    concurrency: 64,
    // Of servers that may stand behind this wire: Ollama's, vLLM's, and the price that some vendors serve sooner for.
    serverFields: ["keep_alive", "options", "priority", "request_id", "service_tier"],
    // Vendors who speak this wire and embed a document's pieces in view of one another ask for it by this name.
    isIndivisible: ({ extraBody }) => extraBody.late_chunking === true,
    open({ api_key, base_url, organization, project, headers: further }) {
      const url = `${withPath(base_url, "/v1")}/embeddings`;
      const headers = headersOf(further, {
        authorization: api_key && `Bearer ${api_key}`,
        "openai-organization": organization,
        "openai-project": project,
      });
      return {
        embed: (call) => wire.embed({ url, headers, body: bodyOf(call), signal: call.signal }),
      };
    },
  });
};

export default plugin;
