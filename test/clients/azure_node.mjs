/**
 * The `openai` package's AzureOpenAI for Node, told nothing but an endpoint and a key, against the running executable.
 * Usage: node azure_node.mjs BASE_URL KEY. Throws at the first thing that is not as its users expect.
 */
import assert from "node:assert/strict";
import { AzureOpenAI } from "openai";
import { input, model, vectorsOf } from "./oracle.mjs";

const [baseURL, apiKey] = process.argv.slice(2);
const endpoint = baseURL.replace(/\/v1$/, "");
const vectors = await vectorsOf(baseURL, apiKey, input);

const client = new AzureOpenAI({ endpoint, apiKey, apiVersion: "2024-10-21" });
const answer = await client.embeddings.create({ model, input, encoding_format: "float" });
assert.deepEqual(
  answer.data.map(({ embedding }) => embedding),
  vectors,
);
const packed = await client.embeddings.create({ model, input });
assert.deepEqual(
  packed.data.map(({ embedding }) => embedding),
  vectors.map((values) => values.map(Math.fround)),
);
const deployed = new AzureOpenAI({ endpoint, apiKey, apiVersion: "2024-10-21", deployment: model });
const other = await deployed.embeddings.create({
  model: "text-embedding-ada-002",
  input,
  encoding_format: "float",
});
assert.deepEqual(
  other.data.map(({ embedding }) => embedding),
  vectors,
);
await assert.rejects(client.embeddings.create({ model: "nope", input }), {
  status: 404,
  code: "model_not_found",
});
