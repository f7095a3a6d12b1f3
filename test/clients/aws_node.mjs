/**
 * Amazon's SDK for Node as it comes: its own handler, which speaks HTTP/2, and no content type, against the running executable.
 * Usage: node aws_node.mjs BASE_URL KEY. Throws at the first thing that is not as its users expect.
 */
import assert from "node:assert/strict";
import { BedrockRuntimeClient, InvokeModelCommand } from "@aws-sdk/client-bedrock-runtime";
import { NodeHttpHandler } from "@smithy/node-http-handler";
import { input, model, vectorsOf } from "./oracle.mjs";

const [baseURL, key] = process.argv.slice(2);
const root = baseURL.replace(/\/v1$/, "");
const vectors = await vectorsOf(baseURL, key, input);

for (const endpoint of [root, `${baseURL}/aws-bedrock`]) {
  for (const requestHandler of [undefined, new NodeHttpHandler()]) {
    const client = new BedrockRuntimeClient({
      region: "us-east-1",
      endpoint,
      token: { token: key },
      authSchemePreference: ["httpBearerAuth"],
      ...(requestHandler && { requestHandler }),
    });
    const invoke = async (modelId, body) => {
      const answer = await client.send(new InvokeModelCommand({ modelId, body: JSON.stringify(body) }));
      return JSON.parse(new TextDecoder().decode(answer.body));
    };
    const arn = `arn:aws:bedrock:us-east-1::foundation-model/${model}`;
    for (const id of [model, `us.${model}`, arn])
      assert.deepEqual((await invoke(id, { inputText: input[1] })).embedding, vectors[1]);
    assert.deepEqual((await invoke(model, { texts: input })).embeddings, vectors);
    const nova = { text: { value: input[0], truncationMode: "END" }, embeddingPurpose: "GENERIC_INDEX" };
    const params = { taskType: "SINGLE_EMBEDDING", singleEmbeddingParams: nova };
    assert.deepEqual((await invoke(model, params)).embeddings[0].embedding, vectors[0]);
    await assert.rejects(invoke("nope", { inputText: "a" }), { name: "ResourceNotFoundException" });
    await assert.rejects(invoke(model, { inputText: "" }), { name: "ValidationException" });
    client.destroy();
  }
}
const signing = new BedrockRuntimeClient({
  region: "us-east-1",
  endpoint: root,
  credentials: { accessKeyId: "AKIAIOSFODNN7EXAMPLE", secretAccessKey: "wJalrXUtnFEMI/K7MDENG" },
  authSchemePreference: ["aws.auth#sigv4"],
});
await assert.rejects(
  signing.send(new InvokeModelCommand({ modelId: model, body: JSON.stringify({ inputText: "a" }) })),
  { name: "AccessDeniedException", message: /AWS_BEARER_TOKEN_BEDROCK/ },
);
signing.destroy();
