/**
 * Mistral AI's embedding models: docs.mistral.ai/capabilities/embeddings, mistral.ai/pricing.
 * To add a model, add an entry; facts of all models are in MISTRAL.
 */
import type { KnownFacts } from "../../domain/facts";
import type { CatalogueEntry } from "./entry";

const MISTRAL = {
  // "Too many inputs in request, split into more batches" at 257: rig-core 0.42.0, raphaelmansuy/edgequake-llm.
  max_inputs: 256,
  // "Input id 0 has 9000 tokens, exceeding max 8192 tokens."
  max_input_tokens: 8192,
  // 65,286 are accepted and 66,960 are not: measured on 19 July 2026 (garrytan/gbrain#3001). A call that is too large is halved.
  max_call_tokens: 65_536,
  // It never truncates, and refuses texts that are too long.
  uncounted: "send",
  // Users report unit vectors; nothing is known about shortened ones.
  normalized: true,
  token_ids: "decode",
  wire_encoding: "float",
} as const satisfies KnownFacts;

export const MISTRAL_MODELS: readonly CatalogueEntry[] = [
  {
    plugin: "mistral",
    model: "mistral-embed",
    written_as: ["mistral-embed-2312"],
    facts: {
      ...MISTRAL,
      // Only these dimensions: "This model does not support output_dimension."
      dimensions: 1024,
      price: 0.1,
      reply_names: ["mistral-embed-2312", "mistral/mistral-embed", "mistralai/mistral-embed-2312"],
    },
  },
  {
    plugin: "mistral",
    model: "codestral-embed",
    written_as: ["codestral-embed-2505"],
    facts: {
      ...MISTRAL,
      // docs.mistral.ai/capabilities/embeddings/code_embeddings: 1536 by default, at most 3072.
      dimensions: 1536,
      dimensions_allowed: { min: 1, max: 3072 },
      price: 0.15,
      reply_names: ["codestral-embed-2505", "mistral/codestral-embed", "mistralai/codestral-embed-2505"],
    },
  },
];
