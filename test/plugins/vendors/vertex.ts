/**
 * Vertex AI as strict as Google: another method than the model's own, 251 instances, a text that may not be cut are refused with its messages.
 * Sources: cloud.google.com/vertex-ai/generative-ai/docs/model-reference/text-embeddings-api; agentgateway/agentgateway#2968,
 * LangStream/langstream#570, googleapis/python-genai#2050, vercel/ai#15853. Messages marked "remembered" have no public recording: only their
 * status counts.
 */
import { exactVector } from "../../../plugins/fake";
import type { Vendor } from "../conformance";
import { answering, errorBody, isRecord, Refusal, refuseUnknown, sizeOf, TASK_TYPES } from "./google";
import { firstTokens, tokensIn, tokensOf } from "./word-tokens";

export const VERTEX_TOKEN = "ya29.a0AfFake-kq7Rr2Lx4Zc9Vb1Nm3Qw5Et7Yu9IoPl";
export const PROJECT = "shop-4711";
const CALL_TOKENS_MAX = 20_000;
const INVALID_SIZE = "Invalid output dimensionality."; // remembered
const INSTANCE_FIELDS = ["content", "task_type", "title", "mimeType"];

interface Model {
  readonly method: "predict" | "embedContent";
  readonly dimensions: number;
  readonly tokensMax: number;
  readonly instancesMax: number;
}

const text: Model = { method: "predict", dimensions: 768, tokensMax: 2048, instancesMax: 250 };
const MODELS: Readonly<Record<string, Model>> = {
  "text-embedding-004": text,
  "text-embedding-005": text,
  "text-multilingual-embedding-002": text,
  "gemini-embedding-001": { ...text, dimensions: 3072, instancesMax: 1 },
  "gemini-embedding-2": { method: "embedContent", dimensions: 3072, tokensMax: 8192, instancesMax: 1 },
};

const isOurs = (token: string) => token === VERTEX_TOKEN;

/** @param isToken whether a Bearer token is one of Google's */
export function vertexVendor(model: string, isToken: (token: string) => boolean = isOurs): Vendor {
  const { dimensions = 0, method = "predict" } = MODELS[model] ?? {};
  return {
    fetch: answering((url, init) => answer(url, init, isToken)),
    vectorOf: (input) => exactVector(input, dimensions),
    tokensOf: tokensIn,
    replyBody: (vectors) => {
      const values = vectors.map((vector) => [...vector.values]);
      if (method === "embedContent") return JSON.stringify({ embedding: { values: values[0] } });
      return JSON.stringify({
        predictions: values.map((own) => ({ embeddings: { values: own, statistics: { token_count: 1 } } })),
      });
    },
    errorBody: (message) => errorBody(new Refusal(400, message)),
    indexed: false,
  };
}

const HOSTS: Readonly<Record<string, string>> = {
  "us-central1": "us-central1-aiplatform.googleapis.com",
  global: "aiplatform.googleapis.com",
  eu: "aiplatform.eu.rep.googleapis.com",
};

function answer(url: string, init: RequestInit, isToken: (token: string) => boolean): object {
  const { protocol, host, pathname, search } = new URL(url);
  const path =
    /^\/v1(?:beta1)?\/projects\/([\w-]+)\/locations\/([\w-]+)\/publishers\/google\/models\/([\w.-]+):(\w+)$/.exec(
      pathname,
    );
  const [, project, location = "", name = "", method = ""] = path ?? [];
  if (protocol !== "https:" || host !== HOSTS[location] || search !== "" || init.method !== "POST")
    throw new Refusal(404, "Requested entity was not found.", "NOT_FOUND"); // remembered
  const token = /^Bearer (\S+)$/.exec(new Headers(init.headers).get("authorization") ?? "")?.[1] ?? "";
  if (!isToken(token)) {
    throw new Refusal(
      401,
      "Request had invalid authentication credentials. Expected OAuth 2 access token, login cookie or other valid authentication credential. See https://developers.google.com/identity/sign-in/web/devconsole-project.",
      "UNAUTHENTICATED",
    );
  }
  if (project !== PROJECT) {
    throw new Refusal(
      403,
      `Permission 'aiplatform.endpoints.predict' denied on resource '//aiplatform.googleapis.com${pathname}' (or it may not exist).`,
      "PERMISSION_DENIED",
    );
  }
  const model = MODELS[name];
  if (!model) {
    throw new Refusal(
      404,
      `Publisher Model \`projects/${project}/locations/${location}/publishers/google/models/${name}\` was not found or your project does not have access to it.`,
      "NOT_FOUND",
    );
  }
  if (method !== model.method) throw new Refusal(400, "Precondition check failed.", "FAILED_PRECONDITION");
  const body: unknown = JSON.parse(String(init.body));
  if (!isRecord(body)) throw new Refusal(400, "Invalid JSON payload received."); // remembered
  return method === "predict" ? predicted(body, model) : embedded(body, model);
}

function predicted(body: Readonly<Record<string, unknown>>, model: Model): object {
  const { instances, parameters = {} } = body;
  refuseUnknown(body, ["instances", "parameters", "labels"]);
  if (!Array.isArray(instances) || instances.length === 0)
    throw new Refusal(400, "Should provide instances for text model prediction.");
  if (instances.length > model.instancesMax) {
    const message = `${model.instancesMax} instance(s) is allowed per prediction. Actual: ${instances.length}`;
    throw new Refusal(400, message);
  }
  if (!isRecord(parameters)) throw new Refusal(400, "Invalid parameters."); // remembered
  refuseUnknown(parameters, ["autoTruncate", "outputDimensionality"]);
  const { autoTruncate = true } = parameters;
  const texts = instances.map((instance: unknown) => {
    if (!isRecord(instance)) throw new Refusal(400, "Invalid instance."); // remembered
    refuseUnknown(instance, INSTANCE_FIELDS);
    const { content, task_type, title } = instance;
    if (typeof content !== "string" || content === "") throw new Refusal(400, "The text content is empty."); // remembered
    checkTask(task_type, title);
    return cutTo(content, model, autoTruncate);
  });
  const sum = texts.reduce((total, { tokens }) => total + tokens, 0);
  if (sum > CALL_TOKENS_MAX) {
    throw new Refusal(
      400,
      `Unable to submit request because the input token count is ${sum} but the model supports up to ${CALL_TOKENS_MAX}. Reduce the input token count and try again.`, // remembered
    );
  }
  const size = sizeOf(parameters.outputDimensionality, model.dimensions, INVALID_SIZE);
  return {
    predictions: texts.map(({ content, tokens, truncated }) => ({
      embeddings: { values: valuesOf(content, size, model), statistics: { token_count: tokens, truncated } },
    })),
    metadata: { billableCharacterCount: texts.reduce((total, { content }) => total + content.length, 0) },
  };
}

function embedded(body: Readonly<Record<string, unknown>>, model: Model): object {
  refuseUnknown(body, ["content", "embedContentConfig"]);
  const { content, embedContentConfig: config = {} } = body;
  const parts: unknown = isRecord(content) ? content.parts : undefined;
  if (!Array.isArray(parts) || !isRecord(config)) throw new Refusal(400, "Invalid content."); // remembered
  const known = ["taskType", "title", "outputDimensionality", "autoTruncate", "documentOcr"];
  refuseUnknown(config, known);
  checkTask(config.taskType, config.title);
  // Several parts are one vector.
  const whole = parts.map((part: unknown) => (isRecord(part) ? String(part.text) : "")).join("\n");
  const { content: cut, tokens, truncated } = cutTo(whole, model, config.autoTruncate ?? true);
  const promptTokensDetails = [{ modality: "TEXT", tokenCount: tokens }];
  return {
    embedding: {
      values: [...exactVector(cut, sizeOf(config.outputDimensionality, model.dimensions, INVALID_SIZE))],
    },
    usageMetadata: { promptTokenCount: tokens, totalTokenCount: tokens, promptTokensDetails },
    ...(truncated && { truncated }),
  };
}

function checkTask(task: unknown, title: unknown): void {
  if (task !== undefined && !TASK_TYPES.includes(String(task)))
    throw new Refusal(400, `Invalid task_type: ${String(task)}`); // remembered
  if (title !== undefined && task !== "RETRIEVAL_DOCUMENT")
    throw new Refusal(400, "The title is only valid with task_type=RETRIEVAL_DOCUMENT."); // remembered
}

function cutTo(content: string, { tokensMax }: Model, autoTruncate: unknown) {
  const tokens = tokensOf(content);
  if (tokens <= tokensMax) return { content, tokens, truncated: false };
  if (autoTruncate === true)
    return { content: firstTokens(content, tokensMax), tokens: tokensMax, truncated: true };
  throw new Refusal(
    400,
    `The input token count (${tokens}) exceeds the maximum number of tokens allowed (${tokensMax}).`,
  );
}

/** Whole vectors are of unit length, shortened ones are not. */
const valuesOf = (content: string, size: number, { dimensions }: Model) =>
  [...exactVector(content, size)].map((value) => (size < dimensions ? value * 0.7 : value));
