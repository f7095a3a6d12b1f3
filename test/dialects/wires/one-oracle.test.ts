/**
 * Every embedding path of every wire, under each alias, returns the same float32 numbers as POST /v1/embeddings, bit for bit, as decimals and as
 * base64. For a new path add a row to ASKED, by its operation's id; a path without a row fails.
 */
import { afterAll, beforeAll, expect, test } from "bun:test";
import type { EmbedPath } from "../../../src/dialects/wire";
import { WIRES } from "../../../src/dialects/wires";
import { type OpenGateway, openGateway } from "../../gateway";
import { post } from "./asking";

const MODEL = "all-MiniLM-L6-v2";
const TEXTS = ["one", "Straße, naïve café — 日本語 🦜", "a\nlonger third text"];

interface Way {
  readonly name: string;
  /** One body per request: all texts in one, or one text in each if the wire takes only one. */
  readonly bodies: readonly object[];
  /** The vectors of one answer in order: decimals, or base64 of float32. */
  readonly read: (answer: unknown) => readonly (readonly number[] | string)[];
  readonly headers?: Readonly<Record<string, string>>;
}

type Vector = readonly number[] | string;

/** A path into an answer, of names, indices, and `*` for all members of a list. */
function at(path: string): (answer: unknown) => readonly Vector[] {
  const steps = path.split(".");
  return (answer) => {
    let found: readonly unknown[] = [answer];
    for (const step of steps)
      found = found.flatMap((one) =>
        step === "*" ? (Array.isArray(one) ? one : []) : [Object(one)[step] as unknown],
      );
    return found.filter((one): one is Vector => typeof one === "string" || Array.isArray(one));
  };
}

const each = (body: (text: string) => object) => TEXTS.map(body);
const parts = (text: string) => ({ parts: [{ text }] });

const OPENAI: readonly Way[] = [
  { name: "float", bodies: [{ model: MODEL, input: TEXTS }], read: at("data.*.embedding") },
  {
    name: "base64",
    bodies: [{ model: MODEL, input: TEXTS, encoding_format: "base64" }],
    read: at("data.*.embedding"),
  },
];
const TEI: readonly Way[] = [
  { name: "unit length", bodies: [{ inputs: TEXTS }], read: at("*") },
  { name: "as they come", bodies: [{ inputs: TEXTS, normalize: false, truncate: true }], read: at("*") },
];
const GOOGLE: readonly Way[] = [
  { name: "float", bodies: each((text) => ({ content: parts(text) })), read: at("embedding.values") },
];
const cohere = (types: readonly string[], read: string): Way => ({
  name: types.join(),
  bodies: [{ model: MODEL, texts: TEXTS, input_type: "search_document", embedding_types: types }],
  read: at(read),
});
const COHERE = [cohere(["float"], "embeddings.float.*"), cohere(["base64", "float"], "embeddings.base64.*")];
const AMAZON: readonly Way[] = [
  { name: "Titan's", bodies: each((inputText) => ({ inputText })), read: at("embedding") },
  {
    name: "Titan's by type",
    bodies: each((inputText) => ({ inputText, embeddingTypes: ["float"] })),
    read: at("embeddingsByType.float"),
  },
  { name: "Cohere's", bodies: [{ texts: TEXTS }], read: at("embeddings.*") },
  {
    name: "Cohere's by type",
    bodies: [{ texts: TEXTS, embedding_types: ["float"] }],
    read: at("embeddings.float.*"),
  },
  {
    name: "Nova's",
    bodies: each((value) => ({
      taskType: "SINGLE_EMBEDDING",
      singleEmbeddingParams: { embeddingPurpose: "GENERIC_INDEX", text: { truncationMode: "END", value } },
    })),
    read: at("embeddings.*.embedding"),
  },
  ...OPENAI,
];
const withModel = (ways: readonly Way[]) =>
  ways.map((way) => ({ ...way, bodies: way.bodies.map((body) => ({ model: MODEL, ...body })) }));

const ASKED: Readonly<Record<string, readonly Way[]>> = {
  createEmbeddings: OPENAI,
  azureEmbeddings: OPENAI,
  azureV1Embeddings: OPENAI,
  voyageEmbeddings: [
    {
      name: "base64",
      bodies: [{ model: MODEL, input: TEXTS, truncation: true, encoding_format: "base64" }],
      read: at("data.*.embedding"),
      headers: { "user-agent": "python-requests/2.32.5" },
    },
  ],
  createGeminiEmbeddings: withModel(GOOGLE),
  google_embedContent: GOOGLE,
  google_batchEmbedContents: [
    {
      name: "float",
      bodies: [{ requests: TEXTS.map((text) => ({ model: `models/${MODEL}`, content: parts(text) })) }],
      read: at("embeddings.*.values"),
    },
  ],
  vertexPredict: [
    {
      name: "float",
      bodies: [{ instances: TEXTS.map((content) => ({ content })) }],
      read: at("predictions.*.embeddings.values"),
    },
  ],
  createBedrockEmbeddings: withModel(AMAZON),
  bedrockInvokeModel: AMAZON,
  lmStudioEmbeddings: OPENAI,
  ollamaEmbed: [{ name: "float", bodies: [{ model: MODEL, input: TEXTS }], read: at("embeddings.*") }],
  ollamaEmbeddings: [
    { name: "float", bodies: each((prompt) => ({ model: MODEL, prompt })), read: at("embedding") },
  ],
  teiEmbed: TEI,
  teiEmbedByDefaultModel: TEI,
  teiEmbedAtRoot: TEI,
  featureExtraction: TEI,
  teiCreateEmbeddings: OPENAI,
  cohereEmbedV1: [
    ...COHERE,
    { name: "plain", bodies: [{ model: MODEL, texts: TEXTS }], read: at("embeddings.*") },
  ],
  cohereEmbedV2: [
    ...COHERE,
    {
      name: "inputs",
      bodies: [{ model: MODEL, inputs: TEXTS.map((text) => ({ content: [{ type: "text", text }] })) }],
      read: at("embeddings.float.*"),
    },
  ],
  cohereCompatibilityEmbeddings: OPENAI,
};

let open: OpenGateway;
let oracle: readonly (readonly number[])[];

beforeAll(async () => {
  open = await openGateway({
    yaml: `
server: { default_model: ${MODEL} }
providers: { local: { plugin: local } }
models: { ${MODEL}: { routes: [ { provider: local } ] } }
`,
  });
  const { json } = await open.post({ model: MODEL, input: TEXTS });
  oracle = at("data.*.embedding")(json).map((one) => (typeof one === "string" ? [] : one));
});
afterAll(() => open[Symbol.asyncDispose]());

const bits = (vector: Vector) =>
  typeof vector === "string"
    ? Buffer.from(vector, "base64").toString("hex")
    : Buffer.from(Float32Array.from(vector).buffer).toString("hex");

const paths = WIRES.flatMap((wire) => wire.paths.filter((path): path is EmbedPath => path.does === "embed"));

test("the oracle has a vector for each text, and no two are one", () => {
  expect(oracle.map((vector) => vector.length)).toEqual([384, 384, 384]);
  expect(new Set(oracle.map(bits)).size).toBe(3);
});

test("every path that embeds has its row, and every row its path", () => {
  expect(paths.map(({ words }) => words.operationId).toSorted()).toEqual(Object.keys(ASKED).toSorted());
});

test.each(paths.map((path) => [path.words.operationId, path] as const))(
  "%s",
  async (id, { path, aliases = [] }) => {
    for (const pattern of [path, ...aliases]) {
      const address = pattern
        .replace("{model}", MODEL)
        .replace("{version}", "v1beta")
        .replaceAll(/\{\w+\}/g, "x");
      for (const { name, bodies, read, headers } of ASKED[id] ?? []) {
        const vectors: Vector[] = [];
        for (const body of bodies) {
          const { status, json, text } = await open.send(address, post(body, headers));
          expect([address, name, status, status === 200 ? "" : text]).toEqual([address, name, 200, ""]);
          vectors.push(...read(json));
        }
        expect([address, name, vectors.map(bits)]).toEqual([address, name, oracle.map(bits)]);
        // Decimals are also printed in the same way.
        if (vectors.every((vector) => typeof vector !== "string")) expect(vectors).toEqual([...oracle]);
      }
    }
  },
);
