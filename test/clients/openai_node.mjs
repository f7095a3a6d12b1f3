/**
 * The `openai` package for Node, unchanged but for baseURL, against the running executable.
 * Usage: node openai_node.mjs BASE_URL KEY REFERENCE_JSON. Throws at the first thing that is not as its users expect.
 */
import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import OpenAI from "openai";

const [baseURL, apiKey, referencePath] = process.argv.slice(2);
const client = new OpenAI({ baseURL, apiKey, maxRetries: 0 });
const model = "all-MiniLM-L6-v2";
// An empty text is refused, as OpenAI does.
const rows = JSON.parse(readFileSync(referencePath, "utf8")).rows.filter(({ text }) => text !== "");
const texts = rows.map(({ text }) => text);

const floats = (base64) => {
  const bytes = Buffer.from(base64, "base64");
  return Array.from({ length: bytes.length / 4 }, (_, i) => bytes.readFloatLE(i * 4));
};
const dot = (a, b) => a.reduce((sum, value, i) => sum + value * b[i], 0);
const cosine = (a, b) => dot(a, b) / Math.sqrt(dot(a, a) * dot(b, b));

// Its default asks for base64 and decodes it without looking: floats would come out a quarter as long.
const answer = await client.embeddings.create({ model, input: texts });
assert.deepEqual(
  answer.data.map(({ index }) => index),
  texts.map((_, i) => i),
);
assert.ok(answer.data.every(({ embedding }) => embedding.length === 384));
const cosines = answer.data.map(({ embedding }, i) => cosine(embedding, floats(rows[i].vector_base64)));
const mean = cosines.reduce((sum, value) => sum + value, 0) / cosines.length;
const least = Math.min(...cosines);
assert.ok(mean >= 0.999 && least >= 0.995, `cosine mean ${mean}, min ${least}`);

const plain = await client.embeddings.create({ model, input: texts, encoding_format: "float" });
for (const [i, { embedding }] of plain.data.entries()) {
  assert.deepEqual(Float32Array.from(embedding), Float32Array.from(answer.data[i].embedding));
}

const { response, request_id } = await client.embeddings.create({ model, input: "hello" }).withResponse();
assert.match(request_id, /^req_/);
assert.match(response.headers.get("openai-processing-ms"), /^\d+$/);
assert.ok((await client.models.list()).data.some(({ id }) => id === model));

await assert.rejects(client.embeddings.create({ model, input: ["fine", ""] }), (error) => {
  assert.ok(error instanceof OpenAI.BadRequestError);
  assert.equal(error.param, "input[1]");
  return true;
});
await assert.rejects(client.embeddings.create({ model: "nope", input: "a" }), OpenAI.NotFoundError);
const stranger = new OpenAI({ baseURL, apiKey: "eg-wrong", maxRetries: 0 });
await assert.rejects(stranger.embeddings.create({ model, input: "a" }), OpenAI.AuthenticationError);

console.log(`openai for Node ${process.version}: cosine mean ${mean.toFixed(5)}, min ${least.toFixed(5)}`);
