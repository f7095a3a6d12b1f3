/**
 * What a caller may never have sent on, however it is spelt and nested: fields that the gateway is responsible for, credentials and
 * addresses, and settings that change a provider's server for everybody. Some APIs read names case-insensitively (Go), in camelCase or
 * snake_case (protobuf, pydantic), and in nested objects. A further way around the check is a row of REFUSED.
 */
import { afterAll, beforeAll, describe, expect, test } from "bun:test";
import { refusalOf } from "../contracts/speaking";
import { type OpenGateway, openGateway } from "../gateway";

const YAML = `
space_probe: false
providers:
  openai: { plugin: openai, base_url: "http://openai.example/v1", retries: 0 }
  vllm: { plugin: vllm, base_url: "http://vllm.example/v1", retries: 0 }
  ollama: { plugin: ollama, base_url: "http://ollama.example", retries: 0 }
  willing: { plugin: ollama, base_url: "http://ollama.example", retries: 0, allow_fields: [ keep_alive, options ] }
  tei: { plugin: tei, base_url: "http://tei.example", retries: 0 }
  cohere: { plugin: cohere, api_key: k, base_url: "http://cohere.example/v2", retries: 0 }
  voyage: { plugin: voyage, api_key: k, base_url: "http://voyage.example/v1", retries: 0 }
  jina: { plugin: jina, api_key: k, base_url: "http://jina.example/v1", retries: 0 }
  mistral: { plugin: mistral, api_key: k, base_url: "http://mistral.example/v1", retries: 0 }
  gemini: { plugin: gemini, api_key: k, base_url: "http://gemini.example", retries: 0 }
  vertex: { plugin: vertex, access_token: k, project: p, location: us-central1, base_url: "http://vertex.example", retries: 0 }
  bedrock: { plugin: bedrock, api_key: k, region: us-east-1, base_url: "http://bedrock.example", retries: 0 }
models:
  openai: { routes: [ { provider: openai } ] }
  vllm: { routes: [ { provider: vllm } ] }
  ollama: { routes: [ { provider: ollama } ] }
  willing: { routes: [ { provider: willing } ] }
  tei: { routes: [ { provider: tei } ] }
  cohere: { routes: [ { provider: cohere, model: embed-v4.0 } ] }
  voyage: { routes: [ { provider: voyage, model: voyage-4-large } ] }
  jina: { routes: [ { provider: jina, model: jina-embeddings-v3 } ] }
  mistral: { routes: [ { provider: mistral, model: codestral-embed } ] }
  gemini: { routes: [ { provider: gemini, model: gemini-embedding-001 } ] }
  vertex: { routes: [ { provider: vertex, model: text-embedding-005 } ] }
  bedrock: { routes: [ { provider: bedrock, model: "amazon.titan-embed-text-v2:0" } ] }
  nova: { routes: [ { provider: bedrock, model: "amazon.nova-2-multimodal-embeddings-v1:0" } ] }
`;

type Extra = Readonly<Record<string, unknown>>;
/** The model, the fields beyond a text, and the field that the refusal names. */
type Row = readonly [model: string, extra: Extra, param: string];

const REFUSED: readonly Row[] = [
  // Fields of the gateway, in another case, with other separators, in letters that look the same.
  ["openai", { Model: "other" }, "extra_body.Model"],
  ["openai", { INPUT: "other" }, "extra_body.INPUT"],
  ["openai", { "in-put": "other" }, "extra_body.in-put"],
  ["openai", { encodingFormat: "base64" }, "extra_body.encodingFormat"],
  ["openai", { "encoding-format": "base64" }, "extra_body.encoding-format"],
  ["openai", { uſer: "other" }, "extra_body.uſer"],
  ["openai", { Dimensions: 4 }, "extra_body.Dimensions"],
  ["openai", { messages: [{ role: "user", content: "other" }] }, "extra_body.messages"],
  ["openai", { instances: ["other"] }, "extra_body.instances"],
  ["openai", { inputText: "other" }, "extra_body.inputText"],
  ["vllm", { endianness: "big" }, "extra_body.endianness"],
  ["openai", { Metadata: { a: 1 } }, "extra_body.Metadata"],
  // The same, nested.
  ["openai", { parameters: { model: "other" } }, "extra_body.parameters.model"],
  ["openai", { parameters: { Input: "other" } }, "extra_body.parameters.Input"],
  ["openai", { list: [{ a: 1 }, { texts: ["other"] }] }, "extra_body.list[1].texts"],
  // Credentials and addresses.
  ["openai", { apiKey: "sk-1" }, "extra_body.apiKey"],
  ["openai", { toKen: "sk-1" }, "extra_body.toKen"],
  ["openai", { "X-API-Key": "sk-1" }, "extra_body.X-API-Key"],
  ["openai", { aws_secret_access_key: "a" }, "extra_body.aws_secret_access_key"],
  ["openai", { azure_ad_token: "a" }, "extra_body.azure_ad_token"],
  ["openai", { extra_headers: {} }, "extra_body.extra_headers"],
  ["openai", { litellm_params: { api_base: "http://a" } }, "extra_body.litellm_params.api_base"],
  ["openai", { deep: [[{ baseUrl: "http://a" }]] }, "extra_body.deep[0][0].baseUrl"],
  ["openai", { webhookUrl: "http://a" }, "extra_body.webhookUrl"],
  // Fields that embed inputs in the context of each other must be understood by the gateway too.
  ["openai", { lateChunking: true }, "extra_body.lateChunking"],
  ["openai", { Late_Chunking: true }, "extra_body.Late_Chunking"],
  ["openai", { late_chunking: "true" }, "extra_body.late_chunking"],
  ["openai", { config: { late_chunking: true } }, "extra_body.config.late_chunking"],
  // Vendors' own names for them.
  ["voyage", { outputDimension: 256 }, "extra_body.outputDimension"],
  ["voyage", { Output_Dimension: 256 }, "extra_body.Output_Dimension"],
  ["voyage", { config: { output_dimension: 256 } }, "extra_body.config.output_dimension"],
  ["mistral", { outputDtype: "int8" }, "extra_body.outputDtype"],
  ["jina", { Task: "text-matching" }, "extra_body.Task"],
  ["cohere", { outputDimension: 256 }, "extra_body.outputDimension"],
  ["gemini", { OutputDimensionality: 5 }, "extra_body.OutputDimensionality"],
  ["gemini", { config: { output_dimensionality: 5 } }, "extra_body.config.output_dimensionality"],
  ["vertex", { parameters: { output_dimensionality: 5 } }, "extra_body.parameters.output_dimensionality"],
  ["vertex", { parameters: { auto_truncate: true } }, "extra_body.parameters.auto_truncate"],
  ["vertex", { Parameters: { x: 1 } }, "extra_body.Parameters"],
  ["bedrock", { Embedding_Types: ["int8"] }, "extra_body.Embedding_Types"],
  ["nova", { TaskType: "x" }, "extra_body.TaskType"],
  ["bedrock", { embedding_config: { outputEmbeddingLength: 256 } }, "extra_body.embedding_config"],
  // Another spelling of a field that the plugin itself sets.
  ["ollama", { Truncate: true }, "extra_body.Truncate"],
  ["voyage", { Truncation: true }, "extra_body.Truncation"],
  ["voyage", { outputDtype: "int8" }, "extra_body.outputDtype"],
  ["jina", { embeddingType: "ubinary" }, "extra_body.embeddingType"],
  ["cohere", { embeddingTypes: ["int8"] }, "extra_body.embeddingTypes"],
  ["tei", { Truncate: true }, "extra_body.Truncate"],
  // Settings that change the server for everybody.
  ["ollama", { keep_alive: -1 }, "extra_body.keep_alive"],
  ["ollama", { keepAlive: -1 }, "extra_body.keepAlive"],
  ["ollama", { options: { num_ctx: 1 } }, "extra_body.options"],
  ["ollama", { Options: { num_gpu: 0 } }, "extra_body.Options"],
  ["vllm", { priority: -1 }, "extra_body.priority"],
  ["vllm", { request_id: "another's" }, "extra_body.request_id"],
  ["openai", { KEEP_ALIVE: -1 }, "extra_body.KEEP_ALIVE"],
];

/** As fields of the request itself. */
const REFUSED_FIELDS: readonly Row[] = [
  ["ollama", { options: { num_gpu: 0 } }, "options"],
  ["willing", { options: { Input: "other" } }, "options"],
  ["willing", { options: { deep: { api_key: "a" } } }, "options"],
];

const TAKEN: readonly (readonly [model: string, extra: Extra, sent: Extra])[] = [
  ["openai", { extra_body: { truncate: "END" } }, { truncate: "END" }],
  ["openai", { extra_body: { late_chunking: true } }, { late_chunking: true }],
  ["openai", { extra_body: { late_chunking: false } }, { late_chunking: false }],
  ["openai", { extra_body: { provider: { order: ["a"] } } }, { provider: { order: ["a"] } }],
  ["willing", { extra_body: { keep_alive: "5m" } }, { keep_alive: "5m" }],
  ["willing", { options: { num_ctx: 8192 } }, { options: { num_ctx: 8192 } }],
  ["willing", { extra_body: { options: { num_ctx: 8192 } } }, { options: { num_ctx: 8192 } }],
  // The plugin's own value is sent, whatever the caller gives under the same name.
  ["ollama", { extra_body: { truncate: true } }, { truncate: false }],
];

let open: OpenGateway;
const bodies: Record<string, unknown>[] = [];
beforeAll(async () => {
  const fetch = async (_: string, { body }: RequestInit) => {
    bodies.push(JSON.parse(String(body)));
    const embedding = [1, 0, 0, 0];
    return Response.json({
      data: [{ index: 0, embedding }],
      embeddings: [embedding],
      usage: { prompt_tokens: 1 },
      prompt_eval_count: 1,
    });
  };
  open = await openGateway({ yaml: YAML, outside: { fetch } });
});
afterAll(() => open[Symbol.asyncDispose]());

async function ask(model: string, beyond: Extra) {
  bodies.length = 0;
  return await open.post({ model, input: "a", ...beyond });
}

describe("is refused before anything is sent", () => {
  test.each(REFUSED)("%s: extra_body %j", async (model, extra, param) => {
    const sent = await ask(model, { extra_body: extra });
    expect(refusalOf(sent)).toMatchObject({ status: 400, param });
    expect(bodies).toEqual([]);
  });

  test.each(REFUSED_FIELDS)("%s: %j", async (model, extra, param) => {
    expect(refusalOf(await ask(model, extra))).toMatchObject({ status: 400, param });
    expect(bodies).toEqual([]);
  });

  test("a name similar to an allowed field's, in either spelling", async () => {
    for (const extra of [{ priority: 1 }, { Priority: 1 }])
      expect(refusalOf(await ask("vllm", { extra_body: extra })).status).toBe(400);
  });
});

test.each(TAKEN)("%s: %j is sent on", async (model, extra, expected) => {
  expect((await ask(model, extra)).status).toBe(200);
  expect(bodies.at(-1)).toMatchObject(expected);
});

test("fields sent on by unknown_fields: forward follow the same rules", async () => {
  const yaml = `server: { policies: { unknown_fields: forward } }\n${YAML}`;
  let calls = 0;
  const fetch = async () => {
    calls += 1;
    return Response.json({ data: [{ index: 0, embedding: [1, 0, 0, 0] }] });
  };
  await using forwarding = await openGateway({ yaml, outside: { fetch } });
  const rows = REFUSED.filter(([model]) => model === "openai" || model === "vllm");
  for (const [model, extra, param] of rows) {
    // A field that the dialect knows by exactly this name is allowed.
    const sent = await forwarding.post({ model, input: "a", ...extra });
    const field = param.slice("extra_body.".length);
    expect([extra, refusalOf(sent).status, refusalOf(sent).param]).toEqual([extra, 400, field]);
  }
  expect(calls).toBe(0);
});
