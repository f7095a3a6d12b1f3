/**
 * Cohere's words for tasks (`input_type`), which others hand on: Bedrock, that has Cohere's models, and OpenRouter, whoever answers there.
 * A word that only Cohere itself takes stands in cohere.ts.
 */
export const COHERE_WORDS = {
  query: "search_query",
  document: "search_document",
  classification: "classification",
  clustering: "clustering",
} as const;
