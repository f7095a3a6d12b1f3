/**
 * Cohere's words for tasks (`input_type`), which others pass on: Bedrock, which has Cohere's models, and OpenRouter, for all of its providers.
 * A word that only Cohere itself takes is in cohere.ts.
 */
export const COHERE_WORDS = {
  query: "search_query",
  document: "search_document",
  classification: "classification",
  clustering: "clustering",
} as const;
