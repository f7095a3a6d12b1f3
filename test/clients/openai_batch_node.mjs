/**
 * The batch code of the `openai` package for Node, unchanged but for baseURL, against the running executable.
 * Usage: node openai_batch_node.mjs BASE_URL KEY. Throws at the first thing that is not as its users expect.
 */
import assert from "node:assert/strict";
import { setTimeout as sleep } from "node:timers/promises";
import OpenAI, { toFile } from "openai";

const [baseURL, apiKey] = process.argv.slice(2);
const client = new OpenAI({ baseURL, apiKey, maxRetries: 0 });
const model = "all-MiniLM-L6-v2";
const line = (custom_id, input) =>
  JSON.stringify({ custom_id, method: "POST", url: "/v1/embeddings", body: { model, input } });

async function ended(created) {
  let batch = created;
  while (["validating", "in_progress", "finalizing", "cancelling"].includes(batch.status)) {
    await sleep(100);
    batch = await client.batches.retrieve(batch.id);
  }
  return batch;
}

const texts = Array.from({ length: 40 }, (_, i) => `Satz ${i}: "Straße" – ☃`);
const content = texts.map((text, i) => line(`row-${i}`, text)).join("\n");
const file = await client.files.create({
  file: await toFile(Buffer.from(content), "eingabe ä.jsonl"),
  purpose: "batch",
});
assert.equal(file.filename, "eingabe ä.jsonl");
assert.equal(file.bytes, Buffer.byteLength(content));
const asked = { input_file_id: file.id, endpoint: "/v1/embeddings", completion_window: "24h" };
const headers = { "idempotency-key": `node-${file.id}` };
const created = await client.batches.create(asked, { headers });
// The same again is the same batch.
assert.equal((await client.batches.create(asked, { headers })).id, created.id);
await assert.rejects(
  client.batches.create({ ...asked, metadata: { a: "b" } }, { headers }),
  OpenAI.ConflictError,
);
const batch = await ended(created);
assert.equal(batch.status, "completed");
assert.deepEqual(batch.request_counts, { total: 40, completed: 40, failed: 0 });
const output = await (await client.files.content(batch.output_file_id)).text();
const rows = output
  .trimEnd()
  .split("\n")
  .map((row) => JSON.parse(row));
assert.deepEqual(
  rows.map(({ custom_id }) => custom_id),
  texts.map((_, i) => `row-${i}`),
);
const live = await client.embeddings.create({ model, input: texts, encoding_format: "float" });
for (const [i, { response }] of rows.entries()) {
  const got = response.body.data[0].embedding;
  assert.ok(got.every((value, at) => Math.abs(value - live.data[i].embedding[at]) < 1e-5));
}
const part = await client.files.content(batch.output_file_id, { headers: { range: "bytes=0-9" } });
assert.equal(part.status, 206);
assert.equal(await part.text(), output.slice(0, 10));
const ids = [];
for await (const one of client.batches.list({ limit: 1 })) {
  ids.push(one.id);
  if (ids.length === 3) break;
}
assert.equal(ids[0], batch.id);
assert.ok((await client.files.delete(file.id)).deleted);
await assert.rejects(client.files.retrieve(file.id), OpenAI.NotFoundError);

console.log(`openai for Node ${process.version}: a batch of ${rows.length} requests`);
