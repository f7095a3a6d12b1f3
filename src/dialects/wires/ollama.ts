/**
 * Ollama's API: /api/embed and the older /api/embeddings, and what its clients request first (whether it runs, its version, its models).
 * Schemas are in ollama-schema.ts. To add a path of Ollama's, add a row to `paths`.
 */
import { GatewayError } from "../../domain/errors";
import type { Result } from "../../domain/request";
import type { Script } from "../../printing/script";
import { bare } from "../../printing/vectors";
import { checked } from "../checked";
import { modelAsked } from "../model-path";
import { decodeRequest } from "../openai";
import { checkTexts, refuseTokenIds } from "../texts";
import { atUnitLength } from "../unit-length";
import type { Asked, Decoded, GatewayFacts, ModelEntry, Question, Told, Wire } from "../wire";
import { messageWithField } from "../with-field";
import { embedBody, embeddingsBody, SCHEMAS, showBody, UNUSED_FIELDS } from "./ollama-schema";

/** The release of Ollama that is imitated: clients do not use features that older releases lack. */
const RELEASE = "0.17.4";

/** Ollama's own examples use `curl -d` without a content type. */
const AS_CURL_SENDS = ["application/x-www-form-urlencoded"];

export const ollamaWire: Wire = {
  tag: { name: "Ollama", description: "The part of Ollama's API that embedding clients use." },
  paths: [
    {
      does: "embed",
      method: "POST",
      path: "/api/embed",
      mediaTypes: AS_CURL_SENDS,
      decode: decodeEmbed,
      words: {
        operationId: "ollamaEmbed",
        summary: "Embed texts with Ollama's API",
        description:
          "For any model of the gateway. Texts that are too long are cut, unless `truncate` is false. `options` and `keep_alive` have no effect.",
        request: "OllamaEmbedRequest",
        response: "OllamaEmbedResponse",
      },
    },
    {
      does: "embed",
      method: "POST",
      path: "/api/embeddings",
      mediaTypes: AS_CURL_SENDS,
      decode: decodeEmbeddings,
      words: {
        operationId: "ollamaEmbeddings",
        summary: "Embed one text with Ollama's older API",
        description: "Vectors are as the model makes them; those of /api/embed have unit length.",
        request: "OllamaEmbeddingsRequest",
        response: "OllamaEmbeddingsResponse",
      },
    },
    {
      does: "tell",
      method: "POST",
      path: "/api/show",
      mediaTypes: AS_CURL_SENDS,
      tell: show,
      words: {
        operationId: "ollamaShow",
        summary: "Show one model, as Ollama does",
        request: "OllamaShowRequest",
        response: "OllamaShowResponse",
      },
    },
    {
      does: "tell",
      method: "GET",
      path: "/api/tags",
      tell: (_, gateway) => ({ body: { models: embedding(gateway).map((model) => listed(model, gateway)) } }),
      words: {
        operationId: "ollamaTags",
        summary: "List the models, as Ollama does",
        response: "OllamaModels",
      },
    },
    {
      does: "tell",
      method: "GET",
      path: "/api/ps",
      tell: () => ({ body: { models: [] } }),
      words: {
        operationId: "ollamaRunning",
        summary: "List the models in memory, as Ollama does: none, since all answer at once",
        response: "OllamaModels",
      },
    },
    {
      does: "tell anybody",
      method: "GET",
      path: "/api/version",
      tell: () => ({ body: { version: RELEASE } }),
      words: {
        operationId: "ollamaVersion",
        summary: "The release of Ollama whose calls these are",
        response: "OllamaVersion",
      },
    },
    {
      does: "tell anybody",
      method: "GET",
      path: "/",
      // A browser is shown the dashboard instead (src/door/http.ts).
      when: ({ headers }) => !headers.get("accept")?.includes("text/html"),
      tell: () => ({ body: "Ollama is running", headers: { "content-type": "text/plain; charset=utf-8" } }),
      words: { operationId: "ollamaIsThere", summary: "Health check of Ollama's clients" },
    },
  ],
  prefixes: ["/api"],
  policies: { invalid_status: 400, unknown_model_status: 404, token_arrays: "reject" },
  encodeError: (error) => JSON.stringify({ error: messageWithField(error) }),
  errorSchema: "OllamaError",
  schemas: () => SCHEMAS,
};

function decodeEmbed(body: unknown, asked: Asked): Decoded {
  if (typeof body === "object" && body !== null && "input" in body) refuseTokenIds(body.input, "input");
  const { model, input, truncate, dimensions, ...others } = checked(embedBody(), body);
  // For a single empty text Ollama returns no embeddings.
  const texts = Array.isArray(input) ? input : input ? [input] : [];
  const decoded = decode({ model, texts, truncate, dimensions, isList: Array.isArray(input) }, others, asked);
  return { ...decoded, encode: (result, _, tookMs) => asEmbed(decoded.request.model, result, tookMs) };
}

function decodeEmbeddings(body: unknown, asked: Asked): Decoded {
  const { model, prompt, ...others } = checked(embeddingsBody(), body);
  const texts = prompt ? [prompt] : [];
  const decoded = decode({ model, texts, isList: false }, others, asked);
  return {
    ...decoded,
    inputName: () => "prompt",
    encode: ({ vectors }) => ({
      encoding: "float",
      passages: ['{"embedding":', vectors.length > 0 ? bare(vectors) : "[]", "}"],
    }),
  };
}

interface Said {
  readonly model: string | null | undefined;
  readonly texts: readonly string[];
  readonly truncate?: boolean | null | undefined;
  readonly dimensions?: number | null | undefined;
  readonly isList: boolean;
}

function decode(
  said: Said,
  others: Readonly<Partial<Record<(typeof UNUSED_FIELDS)[number], unknown>>>,
  asked: Asked,
): Omit<Decoded, "encode"> {
  const { policies } = asked;
  const { texts, isList, dimensions, truncate } = said;
  const nameOf = (place: number) => (isList ? `input[${place}]` : "input");
  checkTexts(texts, "input", nameOf, policies);
  const model = modelAsked(said.model, asked, "must agree");
  // Elsewhere a request needs an input: this one is only used to check the model and the caller.
  const input = texts.length > 0 ? texts : ["nothing"];
  const { request, ignored } = decodeRequest({ model, input, dimensions }, policies);
  const unused = UNUSED_FIELDS.filter((name) => (others[name] ?? null) !== null);
  return {
    request: { ...request, inputs: texts, fields: { truncate: truncate ?? true } },
    ignored: [...ignored, ...unused],
    otherNames: namesAlike(request.model),
    inputName: nameOf,
  };
}

/** `x` and `x:latest` are the same model: "The tag is optional and, if not provided, will default to latest." */
function namesAlike(model: string): readonly string[] {
  if (model.endsWith(TAG)) return [model.slice(0, -TAG.length)].filter((name) => name !== "");
  return hasTag(model) ? [] : [model + TAG];
}

const TAG = ":latest";
const hasTag = (id: string) => id.slice(id.lastIndexOf("/") + 1).includes(":");

function asEmbed(model: string, { vectors, tokens }: Result, tookMs: number): Script {
  const about = { total_duration: Math.round(tookMs * 1e6), load_duration: 0, prompt_eval_count: tokens };
  return {
    encoding: "float",
    passages: [
      `{"model":${JSON.stringify(model)},"embeddings":[`,
      bare(atUnitLength(vectors)),
      `],${JSON.stringify(about).slice(1)}`,
    ],
  };
}

const embedding = (gateway: GatewayFacts) => gateway.models().filter(({ embeddings }) => embeddings);

function listed(model: ModelEntry, gateway: GatewayFacts) {
  const name = hasTag(model.id) ? model.id : model.id + TAG;
  const digest = new Bun.CryptoHasher("sha256").update(model.id).digest("hex");
  return { name, model: name, modified_at: since(gateway), size: 0, digest, details: detailsOf(model) };
}

const since = ({ startedAt }: GatewayFacts) => new Date(startedAt).toISOString();

const detailsOf = ({ owned_by }: ModelEntry) => ({
  parent_model: "",
  format: "",
  family: owned_by,
  families: [owned_by],
  parameter_size: "",
  quantization_level: "",
});

async function show(question: Question, gateway: GatewayFacts): Promise<Told> {
  const { model, name } = checked(showBody(), await question.body());
  const asked = modelAsked(model ?? (name || undefined), question, "must agree");
  if (typeof asked !== "string")
    throw new GatewayError("invalid", "'model' must be a string.", { field: "model" });
  const entry = gateway.model(asked, namesAlike(asked));
  return {
    body: {
      modelfile: "",
      parameters: "",
      template: "",
      details: detailsOf(entry),
      model_info: {
        "general.architecture": ARCHITECTURE,
        ...(entry.max_input_tokens !== null && {
          [`${ARCHITECTURE}.context_length`]: entry.max_input_tokens,
        }),
        ...(entry.dimensions !== null && { [`${ARCHITECTURE}.embedding_length`]: entry.dimensions }),
      },
      capabilities: ["embedding"],
      modified_at: since(gateway),
    },
  };
}

/** Clients look sizes up with the architecture's name as a prefix, whatever it is. */
const ARCHITECTURE = "embedgate";
