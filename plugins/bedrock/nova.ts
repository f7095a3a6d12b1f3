/**
 * Amazon's Nova: one text a call with its purpose; the model itself truncates. Images, audio and video are not supported.
 * Sources: docs.aws.amazon.com/nova/latest/userguide/embeddings-schema.html; vercel/ai, packages/amazon-bedrock, for the count of tokens.
 */

import type { Host } from "../../src/plugin";
import { countAt } from "../usage";
import { ALL, type Family } from "./family";

/** Amazon's words for Cohere's; the gateway sends texts only, so a query searches among texts. */
const PURPOSES: Readonly<Record<string, string>> = {
  search_query: "TEXT_RETRIEVAL",
  search_document: "GENERIC_INDEX",
  classification: "CLASSIFICATION",
  clustering: "CLUSTERING",
};

export function nova(host: Host): Family {
  const { t } = host;
  const Reply = t.Object({
    embeddings: t.Array(
      t.Object({ embedding: host.wireVector, truncatedCharLength: t.Optional(t.Integer()) }),
    ),
    inputTokenCount: t.Optional(t.Unknown()),
  });
  return {
    ids: ["nova-2-multimodal-embeddings"],
    facts: {
      ...ALL,
      dimensions: 3072,
      dimensions_allowed: [256, 384, 1024, 3072],
      max_inputs: 1,
      max_input_tokens: 8172,
      normalized: true,
      task_types: Object.values(PURPOSES),
    },
    body: ({ texts, dimensions, task, cut }) => ({
      schemaVersion: "nova-multimodal-embed-v1",
      taskType: "SINGLE_EMBEDDING",
      singleEmbeddingParams: {
        embeddingPurpose: PURPOSES[task ?? ""] ?? "GENERIC_INDEX",
        embeddingDimension: dimensions ?? 3072,
        text: { truncationMode: cut.toUpperCase(), value: texts[0] },
      },
    }),
    async read(bytes) {
      const { embeddings, inputTokenCount } = await host.readReply(Reply, bytes);
      const truncated = embeddings[0]?.truncatedCharLength === undefined ? [] : [0];
      const vectors = embeddings.map(({ embedding }, index) => ({ index, values: host.vector(embedding) }));
      return { vectors, tokens: countAt(inputTokenCount), truncated };
    },
  };
}
