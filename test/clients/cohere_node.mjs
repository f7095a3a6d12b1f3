/**
 * The `cohere-ai` package for Node, both versions of its client, told nothing but a base URL and a key, against the running executable.
 * Usage: node cohere_node.mjs BASE_URL KEY. Throws at the first thing that is not as its users expect.
 */
import assert from "node:assert/strict";
import { CohereClient, CohereClientV2 } from "cohere-ai";
import { input, model, vectorsOf } from "./oracle.mjs";

const [baseURL, token] = process.argv.slice(2);
const vectors = await vectorsOf(baseURL, token, input);
const asked = { model, texts: input, inputType: "search_document" };

for (const baseUrl of [baseURL.replace(/\/v1$/, ""), baseURL]) {
  const second = new CohereClientV2({ token, baseUrl });
  const answer = await second.embed({ ...asked, embeddingTypes: ["float"] });
  assert.deepEqual(answer.embeddings.float, vectors);
  assert.ok(answer.meta.billedUnits.inputTokens > 0);
  const first = new CohereClient({ token, baseUrl });
  assert.deepEqual((await first.embed(asked)).embeddings, vectors);
  assert.equal((await first.checkApiKey()).valid, true);
  const { models } = await second.models.list({ endpoint: "embed" });
  assert.ok(models.some(({ name }) => name === model));
  await assert.rejects(second.embed({ ...asked, model: "nope" }), { statusCode: 404 });
}
