/**
 * The `voyageai` package for Node, told nothing but a base URL and a key, against the running executable.
 * Usage: node voyage_node.mjs BASE_URL KEY. Throws at the first thing that is not as its users expect.
 */
import assert from "node:assert/strict";
import { VoyageAIClient } from "voyageai";
import { input, model, vectorsOf } from "./oracle.mjs";

const [baseURL, apiKey] = process.argv.slice(2);
const vectors = await vectorsOf(baseURL, apiKey, input);

for (const environment of [baseURL, baseURL.replace(/\/v1$/, "")]) {
  const client = new VoyageAIClient({ apiKey, environment });
  for (const more of [{}, { truncation: true, outputDimension: vectors[0].length, outputDtype: "float" }]) {
    const answer = await client.embed({ model, input, ...more });
    assert.deepEqual(
      answer.data.map(({ embedding }) => embedding),
      vectors,
    );
    assert.ok(answer.usage.totalTokens > 0);
  }
  await assert.rejects(async () => await client.embed({ model: "nope", input }), { statusCode: 404 });
}
