/**
 * The API of text-embeddings-inference (TEI) and of Hugging Face's feature extraction: `inputs` to a list of lists. Its requests do not name the
 * model: it is in the path, or it is the gateway's default_model. Schemas are in hugging-face-schema.ts.
 */
import { type ErrorKind, GatewayError } from "../../domain/errors";
import type { Policies } from "../../domain/policies";
import type { Result } from "../../domain/request";
import { bare } from "../../printing/vectors";
import { checked } from "../checked";
import { modelAsked } from "../model-path";
import { decodeRequest } from "../openai";
import { decodeEmbeddings } from "../openai-embeddings";
import { checkTexts, refuseTokenIds } from "../texts";
import { atUnitLength } from "../unit-length";
import type { Asked, Decoded, GatewayFacts, KnownPath, Question, TextToken, Told, Wire } from "../wire";
import { messageWithField } from "../with-field";
import { schemasOf, type TeiInfo, teiRequest, tokenizeRequest } from "./hugging-face-schema";

export const huggingFaceWire: Wire = {
  tag: {
    name: "Hugging Face",
    description: "The APIs of text-embeddings-inference and of Hugging Face's feature extraction.",
  },
  paths: [
    {
      does: "embed",
      method: "POST",
      path: "/tei/{model}/embed",
      aliases: ["/tei/{model}", "/tei/{model}/invocations"],
      decode,
      words: {
        operationId: "teiEmbed",
        summary: "Embed texts with text-embeddings-inference's API",
        description:
          "For any model of the gateway, with /tei/MODEL as the client's base URL. /embed, /invocations and / itself do the same for the routing file's `server.default_model`.",
        request: "TeiEmbedRequest",
        response: "TeiEmbedResponse",
      },
    },
    {
      does: "embed",
      method: "POST",
      path: "/embed",
      aliases: ["/invocations"],
      decode,
      words: {
        operationId: "teiEmbedByDefaultModel",
        summary: "Embed texts with the default model, at text-embeddings-inference's paths",
        request: "TeiEmbedRequest",
        response: "TeiEmbedResponse",
      },
    },
    {
      does: "embed",
      method: "POST",
      path: "/",
      decode,
      words: {
        operationId: "teiEmbedAtRoot",
        summary: "Embed texts with the default model, for clients whose URL is the model's",
        request: "TeiEmbedRequest",
        response: "TeiEmbedResponse",
      },
    },
    {
      does: "embed",
      method: "POST",
      path: "/models/{model}/pipeline/feature-extraction",
      aliases: [
        "/hf-inference/models/{model}/pipeline/feature-extraction",
        "/pipeline/feature-extraction/{model}",
        // The path of the older Inference API, which LangChain for Go uses.
        "/models/{model}",
        "/hf-inference/models/{model}",
      ],
      decode,
      words: {
        operationId: "featureExtraction",
        summary: "Embed texts with the API of Hugging Face's feature extraction",
        request: "TeiEmbedRequest",
        response: "TeiEmbedResponse",
      },
    },
    {
      does: "embed",
      method: "POST",
      path: "/tei/{model}/v1/embeddings",
      aliases: ["/tei/{model}/embeddings"],
      decode: decodeOpenai,
      words: {
        operationId: "teiCreateEmbeddings",
        summary: "Embed texts, in OpenAI's shape, by the path's model",
        request: "TeiOpenaiRequest",
        response: "TeiOpenaiResponse",
      },
    },
    {
      does: "tell",
      method: "POST",
      path: "/tei/{model}/tokenize",
      aliases: ["/tokenize"],
      tell: tokenize,
      words: {
        operationId: "teiTokenize",
        summary: "The tokens of texts, if the model's tokenizer is known: 128 KB of text at most",
        request: "TeiTokenizeRequest",
        response: "TeiTokenizeResponse",
      },
    },
    {
      does: "tell",
      method: "GET",
      path: "/tei/{model}/info",
      aliases: ["/info"],
      tell: info,
      words: {
        operationId: "teiInfo",
        summary: "The model's limits, as TEI reports them",
        response: "TeiInfo",
      },
    },
    {
      does: "tell anybody",
      method: "GET",
      path: "/tei/{model}/health",
      aliases: ["/tei/{model}/ping", "/health", "/ping"],
      tell: () => ({ body: "", headers: { "content-type": "text/plain; charset=utf-8" } }),
      words: { operationId: "teiHealth", summary: "Health check of TEI's clients" },
    },
    refused("embed_all", "returns an embedding of each token, which is not supported here: use …/embed."),
    refused("embed_sparse", "returns sparse embeddings, which are not supported here: use …/embed."),
  ],
  prefixes: ["/tei", "/models", "/hf-inference", "/pipeline"],
  // Its token ids are of the model's own vocabulary, which the gateway may not know.
  policies: { invalid_status: 422, unknown_model_status: 404, token_arrays: "reject" },
  encodeError: (error) =>
    JSON.stringify({
      error: messageWithField(error),
      error_type: TYPES[error.kind] ?? (error.meaning.status < 500 ? "validation" : "backend"),
    }),
  errorSchema: "TeiError",
  schemas: schemasOf,
};

const TYPES: Readonly<Partial<Record<ErrorKind, string>>> = {
  empty_input_refused: "empty",
  rate_limited: "overloaded",
  busy: "overloaded",
  overloaded: "overloaded",
  database_unavailable: "unhealthy",
  ledger_unavailable: "unhealthy",
};

function refused(call: string, why: string): KnownPath {
  return {
    does: "tell",
    method: "POST",
    path: `/tei/{model}/${call}`,
    aliases: [`/${call}`],
    isHidden: true,
    tell() {
      throw new GatewayError("unknown_path", `'${call}' ${why}`);
    },
    words: { operationId: call, summary: why },
  };
}

function decode(body: unknown, asked: Asked): Decoded {
  const { policies } = asked;
  if (typeof body === "object" && body !== null && "inputs" in body) refuseTokenIds(body.inputs, "inputs");
  refuseOthers(body);
  const { inputs, model, parameters, options, use_cache, use_gpu, wait_for_model, ...own } = checked(
    teiRequest(),
    body,
  );
  const { truncate, truncation_direction, prompt_name, normalize, dimensions } = { ...parameters, ...own };
  const texts = typeof inputs === "string" ? [inputs] : inputs;
  const nameOf = (place: number) => (typeof inputs === "string" ? "inputs" : `inputs[${place}]`);
  refuseEmpty(texts, nameOf, policies);
  checkTexts(texts, "inputs", nameOf, policies);
  const named = { model: modelAsked(model, asked, "path wins"), input: texts, dimensions };
  const { request, ignored } = decodeRequest(named, policies);
  const cut = truncate ? (truncation_direction?.toLowerCase() === "left" ? "START" : "END") : truncate;
  return {
    request: {
      ...request,
      fields: {
        ...(typeof cut === "string" || cut === false ? { truncate: cut } : {}),
        ...(typeof prompt_name === "string" && { prompt_name }),
        // The gateway normalises; only the provider can return vectors without that.
        ...(normalize === false && { normalize }),
      },
      // Haystack's embedders always send it: deepset-ai/haystack-core-integrations, huggingface_api.
      ...(normalize === false && { unasked: ["normalize"] }),
    },
    ignored: [...ignored, ...saidOf({ options, use_cache, use_gpu, wait_for_model })],
    encode: ({ vectors }) => ({
      encoding: "float",
      passages: ["[", bare(normalize === false ? vectors : atUnitLength(vectors)), "]"],
    }),
    headers: (result, _, tookMs) => measured(texts, result, tookMs),
    inputName: nameOf,
  };
}

/** Fields of other APIs, whose clients send requests here if their base URL lacks the version, and the right paths. */
const OTHERS: Readonly<Record<string, string>> = { texts: "/v1/embed or /v2/embed", input: "/v1/embeddings" };

function refuseOthers(body: unknown): void {
  const fields = Object(body);
  const name = "inputs" in fields ? undefined : Object.keys(OTHERS).find((other) => other in fields);
  if (name === undefined) return;
  throw new GatewayError(
    "invalid",
    `'inputs' is missing. '${name}' is taken at ${OTHERS[name]}: put that path, or its beginning, into the client's base URL.`,
    { field: "inputs" },
  );
}

const saidOf = (fields: Readonly<Record<string, unknown>>) =>
  Object.keys(fields).filter((name) => (fields[name] ?? null) !== null);

/** TEI answers an empty text with its own type and status. */
function refuseEmpty(
  texts: readonly string[],
  nameOf: (place: number) => string,
  { empty_input }: Policies,
): void {
  const empty = empty_input === "reject" ? texts.indexOf("") : -1;
  if (empty === -1) return;
  const field = nameOf(empty);
  throw new GatewayError(
    "empty_input_refused",
    `'${field}' is an empty string: it must have at least one character.`,
    { field },
  );
}

function measured(texts: readonly string[], { tokens }: Result, tookMs: number) {
  const characters = texts.reduce((sum, text) => sum + text.length, 0);
  return {
    "x-compute-characters": String(characters),
    "x-compute-tokens": String(tokens),
    "x-total-time": String(Math.round(tookMs)),
  };
}

function decodeOpenai(body: unknown, asked: Asked): Decoded {
  const { policies } = asked;
  if (typeof body !== "object" || body === null || Array.isArray(body))
    throw new GatewayError("invalid", "The body must be a JSON object with 'input'.");
  return decodeEmbeddings({ ...body, model: modelAsked(null, asked, "path wins") }, policies);
}

/** The limit for all texts together. The answer is up to sixty times as long, and is written in one turn of the event loop. */
const TOKENIZED_BYTES_MAX = 128 * 1024;

async function tokenize(question: Question, gateway: GatewayFacts): Promise<Told> {
  const { inputs, model, add_special_tokens } = checked(tokenizeRequest(), await question.body());
  const texts = typeof inputs === "string" ? [inputs] : inputs;
  const nameOf = (place: number) => (typeof inputs === "string" ? "inputs" : `inputs[${place}]`);
  checkTexts(texts, "inputs", nameOf, { ...question.policies, empty_input: "accept" });
  if (texts.reduce((sum, text) => sum + Buffer.byteLength(text), 0) > TOKENIZED_BYTES_MAX)
    throw new GatewayError(
      "too_large",
      `'inputs' have more than ${TOKENIZED_BYTES_MAX / 1024} KB: tokenize fewer or shorter texts in one request.`,
      { field: "inputs" },
    );
  const id = String(modelAsked(model, question, "path wins"));
  const found = await gateway.tokens(id, texts);
  if (found === undefined)
    throw new GatewayError("invalid", `The tokenizer of the model '${id.slice(0, 200)}' is not known here.`);
  const wanted = found.map((tokens) =>
    add_special_tokens === false ? tokens.filter(({ special }) => !special) : tokens,
  );
  return { body: wanted.map((tokens, i) => placedInBytes(tokens, texts[i] ?? "")) };
}

/** TEI's offsets are in bytes, like its tokenizer's: huggingface/text-embeddings-inference, core/src/tokenization.rs, and its issue #494. */
function placedInBytes(tokens: readonly TextToken[], text: string): TextToken[] {
  let units = 0;
  let bytes = 0;
  return tokens.map((token) => {
    const { start, stop } = token;
    if (start === null || stop === null) return token;
    bytes += Buffer.byteLength(text.slice(units, start));
    units = start;
    return { ...token, start: bytes, stop: bytes + Buffer.byteLength(text.slice(start, stop)) };
  });
}

/** Clients plan their calls with it. For facts that the gateway does not know it returns TEI's defaults. */
function info(question: Question, gateway: GatewayFacts): Told {
  const asked = modelAsked(null, question, "path wins");
  const { id, max_input_tokens, max_call_tokens } = gateway.model(String(asked));
  const body: TeiInfo = {
    model_id: id,
    model_sha: null,
    model_dtype: "float32",
    served_model_name: id,
    model_type: { embedding: { pooling: "mean" } },
    max_concurrent_requests: 512,
    max_input_length: max_input_tokens,
    max_batch_tokens: max_call_tokens,
    max_batch_requests: null,
    max_client_batch_size: question.policies.max_inputs,
    auto_truncate: false,
    tokenization_workers: 1,
    version: gateway.version,
    sha: null,
    docker_label: null,
  };
  return { body };
}
