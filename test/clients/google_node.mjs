/**
 * The `@google/genai` package for Node, told nothing but a base URL and a key, against the running executable.
 * Usage: node google_node.mjs BASE_URL KEY. Throws at the first thing that is not as its users expect.
 */
import assert from "node:assert/strict";
import { GoogleGenAI } from "@google/genai";
import { input, model, vectorsOf } from "./oracle.mjs";

const [baseURL, apiKey] = process.argv.slice(2);
const root = baseURL.replace(/\/v1$/, "");
const vectors = await vectorsOf(baseURL, apiKey, input);

for (const baseUrl of [root, `${baseURL}/gemini`]) {
  const { models } = new GoogleGenAI({ apiKey, httpOptions: { baseUrl } });
  const { embeddings } = await models.embedContent({ model, contents: input });
  assert.deepEqual(
    embeddings.map(({ values }) => values),
    vectors,
  );
  const names = [];
  for await (const { name } of await models.list()) names.push(name);
  assert.ok(names.includes(`models/${model}`));
  await assert.rejects(models.embedContent({ model: "nope", contents: input }), { status: 404 });
}
const { models } = new GoogleGenAI({ vertexai: true, apiKey, httpOptions: { baseUrl: root } });
const { embeddings } = await models.embedContent({ model, contents: input });
assert.deepEqual(
  embeddings.map(({ values }) => values),
  vectors,
);
