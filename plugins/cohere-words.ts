/**
 * Cohere's words for tasks (`input_type`), which other plugins use too: Bedrock, which hosts Cohere's models, and OpenRouter, for all its providers.
 * A word that only Cohere's own API takes is in cohere.ts.
 */
export const COHERE_WORDS = {
  query: "search_query",
  document: "search_document",
  classification: "classification",
  clustering: "clustering",
} as const;
