/**
 * The `@mistralai/mistralai` package for Node, told nothing but a URL and a key, against the running executable.
 * Usage: node mistral_node.mjs BASE_URL KEY. Throws at the first thing that is not as its users expect.
 */
import assert from "node:assert/strict";
import { Mistral } from "@mistralai/mistralai";
import { input, model, vectorsOf } from "./oracle.mjs";

const [baseURL, apiKey] = process.argv.slice(2);
const vectors = await vectorsOf(baseURL, apiKey, input);

for (const serverURL of [baseURL.replace(/\/v1$/, ""), baseURL]) {
  const client = new Mistral({ apiKey, serverURL });
  for (const more of [{}, { outputDimension: vectors[0].length, outputDtype: "float" }]) {
    const { data } = await client.embeddings.create({ model, inputs: input, ...more });
    assert.deepEqual(
      data.map(({ embedding }) => embedding),
      vectors,
    );
  }
  const { data } = await client.models.list();
  assert.ok(data.some(({ id }) => id === model));
  await assert.rejects(client.embeddings.create({ model: "nope", inputs: input }), { statusCode: 404 });
}
