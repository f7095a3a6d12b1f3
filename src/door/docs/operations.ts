/**
 * The words of the published document: what each path does, takes and answers, as the dialect's policies have it.
 * A new path's words are an entry here, named in src/door/http.ts.
 */

import { type TSchema, Type } from "@sinclair/typebox";
import type { Wire } from "../../dialects/wire";
import { WIRES } from "../../dialects/wires";
import type { Policies } from "../../domain/policies";
import { RouteState } from "../../routes/states";
import { ALWAYS, type AnswerHeader, RETRY_AFTER, WITH_EMBEDDINGS, WITH_RATE_LIMIT } from "./headers";

const Status = Type.Object(
  {
    status: Type.String(),
    models: Type.Optional(
      Type.Integer({ minimum: 0, description: "Models that can be asked for embeddings." }),
    ),
  },
  { examples: [{ status: "ready", models: 1 }] },
);

const Notices = Type.Object(
  {
    notices: Type.Array(
      Type.Object({
        space: Type.String(),
        provider: Type.String(),
        model: Type.String({ description: "Its name at the provider." }),
        cosine: Type.Number({ description: "The least, between a probe text's vector and the space's own." }),
        outOfService: Type.Boolean(),
        message: Type.String({ description: "What probably differs, and what to do." }),
      }),
    ),
  },
  {
    examples: [
      {
        notices: [
          {
            space: "text-embedding-3-small",
            provider: "router",
            model: "openai/text-embedding-3-small",
            cosine: 0.12,
            outOfService: true,
            message: "another model. What to do: make the route a model of its own.",
          },
        ],
      },
    ],
  },
);

const RouteStates = Type.Object(
  { routes: Type.Array(RouteState) },
  {
    examples: [
      {
        routes: [
          {
            model: "docs",
            provider: "router",
            upstream_model: "openai/text-embedding-3-small",
            space: "text-embedding-3-small",
            weight: 1,
            state: "open",
            last_error: {
              at: "2026-11-28T03:12:09.120Z",
              kind: "unavailable",
              message: "The provider could not be reached, or the connection broke (ECONNREFUSED).",
            },
          },
        ],
      },
    ],
  },
);

/** By the names that `$ref` uses. */
export function documentSchemas(policies: Policies): Readonly<Record<string, TSchema>> {
  const ofWires = WIRES.map(({ words }) => words.schemas(policies));
  return Object.assign({}, ...ofWires, { Status, Notices, RouteStates });
}

const json = (schema: string) => ({
  "application/json": { schema: { $ref: `#/components/schemas/${schema}` } },
});
const declared = (headers: readonly AnswerHeader[]) =>
  Object.fromEntries(
    headers.map(({ name, says, type = "string" as const }) => [
      name,
      { description: says, schema: { type } },
    ]),
  );

const REQUEST_HEADERS = declared(ALWAYS);

const fails = (description: string) => ({
  description,
  headers: REQUEST_HEADERS,
  content: json("ErrorResponse"),
});
const TEXT = { "text/plain": { schema: { type: "string" as const } } };

const NEEDS_KEY = [{ bearer: [] }];
const KEY_ERRORS = {
  401: fails("No key, or one that is unknown, revoked or rotated out."),
  403: fails("Without keys: the request came from a web page or by a name that is not this machine's."),
};

/** Several reasons may have one status on one wire and two on another. */
function failures(reasons: readonly (readonly [status: number, description: string])[]) {
  const byStatus = Map.groupBy(reasons, ([status]) => status);
  return Object.fromEntries(
    [...byStatus].map(([status, same]) => [
      status,
      fails(same.map(([, description]) => description).join(" ")),
    ]),
  );
}

const limited = {
  description: "The workspace's requests or tokens a minute are used up.",
  content: json("ErrorResponse"),
  headers: { ...REQUEST_HEADERS, ...declared([RETRY_AFTER, ...WITH_RATE_LIMIT]) },
};

/** What errors on the way to a provider come to. */
function upstreamFailures({ upstream_faults }: Policies) {
  const distinct = upstream_faults === "distinct";
  return failures([
    [distinct ? 502 : 503, "The provider's answer did not pass the checks, after retries."],
    [503, "The provider or the database is not available now, or too many requests are under way."],
    [distinct ? 504 : 503, "The request's deadline passed."],
  ]);
}

const forcing = (name: string) => ({
  name,
  in: "header",
  required: false,
  description: "A provider's name in the routing file: that one is asked, and no other in its stead.",
  schema: { type: "string" as const },
});

export const embeddingsOperation = ({ words }: Pick<Wire, "words">, policies: Policies) => ({
  operationId: words.operationId,
  tags: ["embeddings"],
  summary: words.summary,
  description: words.description,
  security: NEEDS_KEY,
  parameters: [
    ...(policies.provider_header === null ? [] : [forcing(policies.provider_header)]),
    forcing("X-Embedgate-Provider"),
  ],
  requestBody: { required: true, content: json(words.request) },
  responses: {
    200: {
      description: "The embeddings.",
      headers: {
        ...declared([...ALWAYS, ...WITH_EMBEDDINGS, ...WITH_RATE_LIMIT]),
      },
      content: json(words.response),
    },
    ...failures([
      [policies.invalid_status, "The body is wrong; `param` names the field."],
      [400, "There is no such provider, or not for this model."],
      [policies.unknown_model_status, "No such model."],
      [404, "The provider has no such model."],
    ]),
    ...KEY_ERRORS,
    402: fails("The workspace's credits are used up, or its cap for the day or the month is."),
    405: fails("Another method than POST."),
    408: fails("The body did not arrive within the deadline."),
    409: fails("The embeddings would lie in another space than X-Embedgate-Space asks for."),
    413: fails("A body of more than 64 MB, or than server.max_body_memory_mb."),
    415: fails("Another content type than JSON, or an unknown content encoding."),
    429: limited,
    431: fails("URL and headers of more than 16 KB."),
    500: fails("A bug in the gateway."),
    ...upstreamFailures(policies),
  },
});

export type Operations = ReturnType<typeof operationsOf>;

export const operationsOf = (policies: Policies) => ({
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
      ...failures([[policies.unknown_model_status, "No such model."]]),
      ...KEY_ERRORS,
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
        "The key is not an admin key; or, without keys, the request came from a web page or with a foreign Host.",
      ),
      405: fails("Another method than GET."),
    },
  },
  notices: {
    operationId: "notices",
    tags: ["operation"],
    summary:
      "What whoever runs the gateway should know now: routes whose vectors are not those of their space",
    description: "Needs a key of 'embedgate keys create --admin' once a key exists.",
    security: NEEDS_KEY,
    responses: {
      200: {
        description: "The notices. An empty list: all is well.",
        headers: REQUEST_HEADERS,
        content: json("Notices"),
      },
      ...KEY_ERRORS,
      403: fails(
        "The key is not an admin key; or, without keys, the request came from a web page or with a foreign Host.",
      ),
      405: fails("Another method than GET."),
    },
  },
  routes: {
    operationId: "routes",
    tags: ["operation"],
    summary: "How each route of each model is doing now, in the process that answers",
    description: "Needs a key of 'embedgate keys create --admin' once a key exists.",
    security: NEEDS_KEY,
    responses: {
      200: { description: "The routes.", headers: REQUEST_HEADERS, content: json("RouteStates") },
      ...KEY_ERRORS,
      403: fails(
        "The key is not an admin key; or, without keys, the request came from a web page or with a foreign Host.",
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
});
