/**
 * The `@huggingface/inference` package for Node, told nothing but a URL and a token, against the running executable.
 * Usage: node hugging_face_node.mjs BASE_URL KEY. Throws at the first thing that is not as its users expect.
 */
import assert from "node:assert/strict";
import { InferenceClient } from "@huggingface/inference";

const [baseURL, key] = process.argv.slice(2);
const root = baseURL.replace(/\/v1$/, "");
const model = "all-MiniLM-L6-v2";
const inputs = ["one", "two", "three", "one"];

const answer = await fetch(`${baseURL}/embeddings`, {
  method: "POST",
  headers: { authorization: `Bearer ${key}`, "content-type": "application/json" },
  body: JSON.stringify({ model, input: inputs }),
});
const vectors = (await answer.json()).data.map(({ embedding }) => embedding);

// It posts to the URL itself.
for (const endpointUrl of [root, baseURL, `${root}/tei/${model}`, `${root}/tei/${model}/embed`]) {
  const client = new InferenceClient(key, { endpointUrl });
  assert.deepEqual(await client.featureExtraction({ inputs }), vectors);
  assert.deepEqual(
    await client.featureExtraction({ inputs: inputs[0], normalize: true }),
    vectors.slice(0, 1),
  );
}
const nowhere = new InferenceClient(key, { endpointUrl: `${root}/tei/nope` });
await assert.rejects(nowhere.featureExtraction({ inputs }), /`nope` does not exist/);
