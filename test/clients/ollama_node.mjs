/**
 * The `ollama` package for Node, told nothing but a host and a key, against the running executable.
 * Usage: node ollama_node.mjs BASE_URL KEY. Throws at the first thing that is not as its users expect.
 */
import assert from "node:assert/strict";
import { Ollama } from "ollama";

const [baseURL, key] = process.argv.slice(2);
const headers = { authorization: `Bearer ${key}` };
const model = "all-MiniLM-L6-v2";
const input = ["one", "two", "three", "one"];

const answer = await fetch(`${baseURL}/embeddings`, {
  method: "POST",
  headers: { ...headers, "content-type": "application/json" },
  body: JSON.stringify({ model, input }),
});
const vectors = (await answer.json()).data.map(({ embedding }) => embedding);

const client = new Ollama({ host: baseURL.replace(/\/v1$/, ""), headers });
const embedded = await client.embed({ model, input, truncate: true, keep_alive: "5m" });
assert.deepEqual(embedded.embeddings, vectors);
assert.deepEqual(
  (await client.embeddings({ model: `${model}:latest`, prompt: input[1] })).embedding,
  vectors[1],
);
assert.equal((await client.list()).models[0].name, `${model}:latest`);
assert.deepEqual((await client.show({ model })).capabilities, ["embedding"]);
assert.match((await client.version()).version, /^\d+\.\d+/);
// Its error is a text here, as at Ollama; an object would be shown as "[object Object]".
await assert.rejects(client.embed({ model: "nope", input }), /`nope` does not exist/);
