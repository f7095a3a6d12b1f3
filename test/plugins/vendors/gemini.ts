/**
 * Google's Gemini API as strict as Google: unknown fields, a title without its task, 101 texts, an empty part are refused with its messages.
 * Sources: ai.google.dev/api/embeddings; geldata/gel#9032, quarkiverse/quarkus-langchain4j#1705, lingfengQAQ/webnovel-writer#51,
 * feyninc/chonkie#529, cequence-io/openai-scala-client#109, vectorize-io/hindsight#4001, maximhq/bifrost#7295. Messages marked
 * "remembered" have no public recording: only their status is checked.
 */
import { exactVector } from "../../../plugins/fake";
import type { Vendor } from "../conformance";
import { answering, errorBody, isRecord, Refusal, refuseUnknown, sizeOf, TASK_TYPES } from "./google";
import { tokensIn, tokensOf } from "./word-tokens";

export const GEMINI_KEY = "AIzaSyFake0kq7Rr2Lx4Zc9Vb1Nm3Qw5Et7Yu9I";
const PAYLOAD_BYTES_MAX = 4_194_304;
const BATCH_MAX = 100;
const TASKS = ["TASK_TYPE_UNSPECIFIED", ...TASK_TYPES];
const FIELDS = ["model", "content", "taskType", "title", "outputDimensionality", "embedContentConfig"];

interface Model {
  readonly dimensions: number;
  readonly tokensMax: number;
  /** Tells tasks apart by `taskType`; else it ignores them silently. */
  readonly readsTasks: boolean;
  /** Shortened vectors are of unit length. */
  readonly normalizes: boolean;
  readonly counts: boolean;
}

const MODELS: Readonly<Record<string, Model>> = {
  "text-embedding-004": {
    dimensions: 768,
    tokensMax: 2048,
    readsTasks: true,
    normalizes: false,
    counts: false,
  },
  "gemini-embedding-001": {
    dimensions: 3072,
    tokensMax: 2048,
    readsTasks: true,
    normalizes: false,
    counts: false,
  },
  "gemini-embedding-2": {
    dimensions: 3072,
    tokensMax: 8192,
    readsTasks: false,
    normalizes: true,
    counts: true,
  },
};
const SHUT_DOWN = "text-embedding-004";

/** @param model a model that was shut down is served again when it is the one that is meant */
export function geminiVendor(model = "gemini-embedding-001"): Vendor {
  const { dimensions = 0, counts = false } = MODELS[model] ?? {};
  const vectorOf = (text: string) => exactVector(text, dimensions);
  return {
    fetch: answering((url, init) => answer(url, init, model)),
    vectorOf,
    tokensOf: (texts) => (counts ? tokensIn(texts) : undefined),
    replyBody: (vectors) => {
      const embeddings = vectors.map(({ values }) => ({ values: [...values] }));
      return JSON.stringify(embeddings.length === 1 ? { embedding: embeddings[0] } : { embeddings });
    },
    errorBody: (message) => errorBody(new Refusal(400, message)),
    indexed: false,
  };
}

function answer(url: string, init: RequestInit, meant: string): object {
  const { origin, pathname, search } = new URL(url);
  const path = /^\/(v1|v1beta)\/models\/([\w.-]+):(embedContent|batchEmbedContents)$/.exec(pathname);
  if (
    origin !== "https://generativelanguage.googleapis.com" ||
    search !== "" ||
    !path ||
    init.method !== "POST"
  )
    throw new Refusal(404, "Requested entity was not found.", "NOT_FOUND");
  authorize(new Headers(init.headers));
  const text = String(init.body);
  if (Buffer.byteLength(text) > PAYLOAD_BYTES_MAX)
    throw new Refusal(400, `Request payload size exceeds the limit: ${PAYLOAD_BYTES_MAX} bytes.`);
  const [, version = "", name = "", method = ""] = path;
  const model = MODELS[name];
  if (!model || (name === SHUT_DOWN && meant !== SHUT_DOWN)) {
    throw new Refusal(
      404,
      `models/${name} is not found for API version ${version}, or is not supported for ${method}. Call ListModels to see the list of available models and their supported methods.`,
      "NOT_FOUND",
    );
  }
  const body: unknown = JSON.parse(text);
  if (method === "embedContent") {
    const entry = embedded(body, name, model, "EmbedContentRequest");
    return { embedding: { values: entry.values }, ...usageOf(model, [entry.text]) };
  }
  if (!isRecord(body)) throw new Refusal(400, "Invalid JSON payload received."); // remembered
  refuseUnknown(body, ["requests"]);
  const { requests } = body;
  if (!Array.isArray(requests) || requests.length === 0)
    throw new Refusal(400, "* BatchEmbedContentsRequest.requests: contents is not specified\n"); // remembered
  if (requests.length > BATCH_MAX) {
    throw new Refusal(
      400,
      `* BatchEmbedContentsRequest.requests: at most ${BATCH_MAX} requests can be in one batch\n`,
    );
  }
  const entries = requests.map((request: unknown, place) =>
    embedded(request, name, model, `BatchEmbedContentsRequest.requests[${place}]`),
  );
  const embeddings = entries.map(({ values }) => ({ values }));
  return {
    embeddings,
    ...usageOf(
      model,
      entries.map((entry) => entry.text),
    ),
  };
}

function authorize(headers: Headers): void {
  const key = headers.get("x-goog-api-key");
  if (key === GEMINI_KEY) return;
  if (key === null) {
    const message =
      "Method doesn't allow unregistered callers (callers without established identity). Please use API Key or other form of API consumer identity to call this API.";
    throw new Refusal(403, message, "PERMISSION_DENIED");
  }
  const message = "API key not valid. Please pass a valid API key.";
  throw new Refusal(400, message, "INVALID_ARGUMENT", [
    {
      "@type": "type.googleapis.com/google.rpc.ErrorInfo",
      reason: "API_KEY_INVALID",
      domain: "googleapis.com",
      metadata: { service: "generativelanguage.googleapis.com" },
    },
    { "@type": "type.googleapis.com/google.rpc.LocalizedMessage", locale: "en-US", message },
  ]);
}

function embedded(entry: unknown, name: string, model: Model, place: string) {
  if (!isRecord(entry)) throw new Refusal(400, `Invalid value at '${place}'`); // remembered
  refuseUnknown(entry, FIELDS);
  // In a batch each entry says the model again, and has the same.
  if (entry.model !== `models/${name}` && (place !== "EmbedContentRequest" || entry.model !== undefined))
    throw new Refusal(400, `* ${place}.model: unexpected model name format\n`); // remembered
  const text = textOf(entry.content, place);
  if (tokensOf(text) > model.tokensMax) {
    throw new Refusal(
      400,
      `The input token count (${tokensOf(text)}) exceeds the maximum number of tokens allowed (${model.tokensMax}).`,
    );
  }
  const { taskType, title } = entry;
  if (taskType !== undefined && !TASKS.some((known) => known === taskType))
    throw new Refusal(400, `Invalid value at 'task_type' (TaskType), ${JSON.stringify(taskType)}`); // remembered
  if (title !== undefined && taskType !== "RETRIEVAL_DOCUMENT")
    throw new Refusal(
      400,
      `* ${place}.title: title is only applicable when task type is RETRIEVAL_DOCUMENT\n`,
    ); // remembered
  const words = model.readsTasks ? [taskType, title].filter((word) => word !== undefined) : [];
  const outOfRange = `* ${place}.output_dimensionality: out of range\n`; // remembered
  const dimensions = sizeOf(entry.outputDimensionality, model.dimensions, outOfRange);
  const values = exactVector([...words, text].join(": "), dimensions);
  const isShort = dimensions < model.dimensions && !model.normalizes;
  return { text, values: [...values].map((value) => (isShort ? value * 0.7 : value)) };
}

/** Several parts are one content, and one vector. */
function textOf(content: unknown, place: string): string {
  const parts: unknown = isRecord(content) ? content.parts : undefined;
  if (!Array.isArray(parts) || parts.length === 0)
    throw new Refusal(400, `* ${place}.content: content is not specified\n`); // remembered
  const texts = parts.map((part: unknown) => (isRecord(part) ? part.text : undefined));
  if (texts.some((text) => typeof text !== "string" || text === ""))
    throw new Refusal(400, `* ${place}.content contains an empty Part.\n`);
  return texts.join("\n");
}

/** Only the newer model counts. */
function usageOf({ counts }: Model, texts: readonly string[]): object {
  if (!counts) return {};
  const tokenCount = tokensIn(texts);
  const promptTokenDetails = [{ modality: "TEXT", tokenCount }];
  return { usageMetadata: { promptTokenCount: tokenCount, promptTokenDetails } };
}
