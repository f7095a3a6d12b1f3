/**
 * The words of the published document: what each path does, takes and answers, over the schemas of the dialect.
 * A new path's words are an entry here, named in src/http.ts.
 */

import { Type } from "@sinclair/typebox";
import { SCHEMAS } from "../dialects/openai-schema";

const Status = Type.Object(
  {
    status: Type.String(),
    models: Type.Optional(
      Type.Integer({ minimum: 0, description: "Models that can be asked for embeddings." }),
    ),
  },
  { examples: [{ status: "ready", models: 1 }] },
);

/** By the names that `$ref` uses. */
export const DOCUMENT_SCHEMAS = { ...SCHEMAS, Status };

type SchemaName = keyof typeof DOCUMENT_SCHEMAS;

const json = (schema: SchemaName) => ({
  "application/json": { schema: { $ref: `#/components/schemas/${schema}` } },
});
const fails = (description: string) => ({ description, content: json("ErrorResponse") });
const header = (description: string, type: "string" | "integer" = "string") => ({
  description,
  schema: { type },
});

const REQUEST_HEADERS = {
  "x-request-id": header("The request's id, also in the ledger and the log."),
  "openai-processing-ms": header("Milliseconds from the request's arrival to its answer.", "integer"),
};

const TEXT = { "text/plain": { schema: { type: "string" as const } } };

const NEEDS_KEY = [{ bearer: [] }];
const KEY_ERRORS = {
  401: fails("No key, or one that is unknown, revoked or rotated out."),
  403: fails("Without keys: the request came from a web page or by a name that is not this machine's."),
};

export const OPERATIONS = {
  createEmbeddings: {
    operationId: "createEmbeddings",
    tags: ["embeddings"],
    summary: "Embed texts",
    description:
      "One embedding for each input, in the order of the inputs: provably, or the request fails. Speaks OpenAI's API, so its SDKs work unchanged but for their base URL.",
    security: NEEDS_KEY,
    requestBody: { required: true, content: json("EmbeddingsRequest") },
    responses: {
      200: {
        description: "The embeddings.",
        headers: {
          ...REQUEST_HEADERS,
          "x-embedding-space": header("The space that the vectors lie in: model and dimensions."),
          "x-embedgate-provider": header("The provider that made them, by its name in the routing file."),
          "x-embedgate-truncated": header("Indices of inputs that were cut to the model's limit."),
          "x-embedgate-averaged": header("Indices of inputs that were embedded in pieces and averaged."),
          "x-embedgate-decoded": header("The vocabulary that token arrays were decoded with."),
          "x-embedgate-usage": header("'estimated' where the provider reported no token count."),
        },
        content: json("EmbeddingsResponse"),
      },
      400: fails("The body is wrong; `param` names the field."),
      ...KEY_ERRORS,
      404: fails("No such model."),
      405: fails("Another method than POST."),
      408: fails("The body did not come to its end within the request's deadline."),
      413: fails("A body of more than 64 MB."),
      415: fails("Another content type than JSON, or an unknown content encoding."),
      431: fails("An address and headers of more than 16 KB."),
      500: fails("A fault of the gateway."),
      502: fails("The provider's answer did not pass the checks, after retries."),
      503: fails("The provider or the database is not available now, or too many requests are under way."),
      504: fails("The request's deadline passed."),
    },
  },
  listModels: {
    operationId: "listModels",
    tags: ["models"],
    summary: "List the models there are",
    security: NEEDS_KEY,
    responses: {
      200: { description: "The models.", headers: REQUEST_HEADERS, content: json("ModelList") },
      ...KEY_ERRORS,
      405: fails("Another method than GET."),
    },
  },
  showModel: {
    operationId: "showModel",
    tags: ["models"],
    summary: "Show one model",
    security: NEEDS_KEY,
    parameters: [
      {
        name: "model",
        in: "path",
        required: true,
        description: "The model's id; slashes may be escaped or not.",
        schema: { type: "string" as const },
      },
    ],
    responses: {
      200: { description: "The model.", headers: REQUEST_HEADERS, content: json("Model") },
      400: fails("The model is known but cannot embed."),
      ...KEY_ERRORS,
      404: fails("No such model."),
      405: fails("Another method than GET."),
    },
  },
  metrics: {
    operationId: "metrics",
    tags: ["operation"],
    summary: "What the gateway counts about itself, for Prometheus",
    description: "Needs a key of 'embedgate keys create --admin' once a key exists.",
    security: NEEDS_KEY,
    responses: {
      200: { description: "The metrics.", headers: REQUEST_HEADERS, content: TEXT },
      ...KEY_ERRORS,
      403: fails(
        "The key is no admin's; or, without keys, the request came from a web page or by another name.",
      ),
      405: fails("Another method than GET."),
    },
  },
  health: {
    operationId: "health",
    tags: ["operation"],
    summary: "Whether the process is alive",
    security: [],
    responses: { 200: { description: "It is.", content: json("Status") } },
  },
  readiness: {
    operationId: "readiness",
    tags: ["operation"],
    summary: "Whether requests can be answered now",
    security: [],
    responses: { 200: { description: "They can.", content: json("Status") }, 503: fails("They cannot.") },
  },
};
