/**
 * OpenAI's embeddings API, for OpenAI and everything else that speaks it, by `base_url`: POST {base_url}/embeddings.
 * Source: openai/openai-openapi (CreateEmbeddingRequest); the API itself is in openai-wire.ts.
 */
import type { EmbedCall, Plugin } from "../src/plugin";
import { addressOf } from "./address";
import { withPath } from "./base-url";
import { headersOf } from "./headers";
import { openaiBatches } from "./openai-batches";
import { bodyOf, openaiWire } from "./openai-wire";
import { addressOption, headersOption, queryOption, withQuery } from "./options";
import { taskFieldOf, taskOptions, taskSaid } from "./task-field";

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
        base_url: addressOption(
          host,
          "https://api.openai.com/v1",
          "Base URL as in OpenAI's SDKs, with its version: /v1. Without a path, /v1 is tried first, then the URL itself.",
        ),
        query: queryOption(host),
        organization: t.Optional(t.String({ minLength: 1, description: "The header OpenAI-Organization." })),
        project: t.Optional(t.String({ minLength: 1, description: "The header OpenAI-Project." })),
        headers: headersOption(host),
        ...taskOptions(host),
      },
      { additionalProperties: false },
    ),
    concurrency: 64,
    // For servers that may be behind this API: fields of Ollama and vLLM, and the service tier that some vendors charge more for.
    serverFields: ["keep_alive", "options", "priority", "request_id", "service_tier"],
    // Vendors that speak this API and embed a document's pieces in the context of each other use this name for it.
    isIndivisible: ({ extraBody }) => extraBody.late_chunking === true,
    open({ api_key, base_url, query, organization, project, headers: further, ...tasks }) {
      const headers = headersOf(further, {
        authorization: api_key && `Bearer ${api_key}`,
        "openai-organization": organization,
        "openai-project": project,
      });
      const address = addressOf(host, { base_url, query }, "/v1", "/embeddings", headers);
      const task = taskFieldOf(tasks);
      const said = (call: EmbedCall) => ({ ...bodyOf(call), ...taskSaid(task, call) });
      return {
        ...address.toFind,
        batches: openaiBatches(host, {
          urlOf: (path) => withQuery(base_url, query, (base) => `${withPath(base, "/v1")}${path}`),
          headers,
          explain: wire.explain,
          // "up to 50,000 requests", "up to 200 MB in size"
          maxCalls: 50_000,
          maxBytes: 200_000_000,
          check: undefined,
          line: ({ id, call }) => ({
            custom_id: id,
            method: "POST",
            url: "/v1/embeddings",
            body: said(call),
          }),
          batch: () => ({ completion_window: "24h" }),
        }),
        ...(task && { tasks: task }),
        embed(call) {
          const body = said(call);
          return address.reached((url) => wire.embed({ url, headers, body, signal: call.signal }));
        },
      };
    },
  });
};

export default plugin;
