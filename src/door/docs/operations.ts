/**
 * The words of the published document: what each path does, takes and answers, as the dialect's policies have it.
 * A wire's paths bring their own words (src/dialects/wire.ts); those of any other path are an entry here, and a line of `pathsOf`.
 */
import { type TSchema, Type } from "@sinclair/typebox";
import type { EmbedPath, KnownPath, PublicPath, Wire, WirePath } from "../../dialects/wire";
import { WIRES } from "../../dialects/wires";
import type { Policies } from "../../domain/policies";
import { RouteState } from "../../routes/states";
import { ALWAYS, type AnswerHeader, RETRY_AFTER, WITH_EMBEDDINGS, WITH_RATE_LIMIT } from "./headers";
import { noModel } from "./no-model";

const Status = Type.Object(
  {
    status: Type.String(),
    models: Type.Optional(
      Type.Integer({ minimum: 0, description: "Models that can be asked for embeddings." }),
    ),
    routes: Type.Optional(Type.Integer({ minimum: 0, description: "Routes to these models." })),
    routes_available: Type.Optional(
      Type.Integer({
        minimum: 0,
        description:
          "Those that may serve and whose circuit breaker is closed. No provider is asked for this.",
      }),
    ),
    message: Type.Optional(Type.String({ description: "What it means to be ready." })),
  },
  { examples: [{ status: "ready", models: 1, routes: 2, routes_available: 2 }] },
);

const Notices = Type.Object(
  {
    notices: Type.Array(
      Type.Object({
        space: Type.String(),
        provider: Type.String(),
        model: Type.String({ description: "Its name at the provider." }),
        cosine: Type.Union([Type.Number(), Type.Null()], {
          description:
            "The least, between a probe text's vector and the space's own; null where nothing was compared.",
        }),
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
            held_back_because: null,
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
  const ofWires = WIRES.map(({ schemas }) => schemas(policies));
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

const failing = (schema: string) => (description: string) => ({
  description,
  headers: REQUEST_HEADERS,
  content: json(schema),
});
const fails = failing("ErrorResponse");
const TEXT = { "text/plain": { schema: { type: "string" as const } } };

const NEEDS_KEY = [{ bearer: [] }];
type Fails = typeof fails;

const keyErrors = (fails: Fails) => ({
  401: fails("No key, or one that is unknown, revoked or rotated out."),
  403: fails("Without keys: the request came from a web page or by a name that is not this machine's."),
});
const KEY_ERRORS = keyErrors(fails);

/** Several reasons may have one status on one wire and two on another. */
function failures(fails: Fails, reasons: readonly (readonly [status: number, description: string])[]) {
  const byStatus = Map.groupBy(reasons, ([status]) => status);
  return Object.fromEntries(
    [...byStatus].map(([status, same]) => [
      status,
      fails(same.map(([, description]) => description).join(" ")),
    ]),
  );
}

const limited = (fails: Fails) => ({
  ...fails("The workspace's requests or tokens a minute are used up."),
  headers: { ...REQUEST_HEADERS, ...declared([RETRY_AFTER, ...WITH_RATE_LIMIT]) },
});

/** What errors on the way to a provider come to. */
function upstreamFailures(fails: Fails, { upstream_faults }: Policies) {
  const distinct = upstream_faults === "distinct";
  return failures(fails, [
    [distinct ? 502 : 503, "The provider's answer did not pass the checks, after retries."],
    [
      503,
      "The provider or the database is not available now, too many requests are in flight, or the gateway is shutting down.",
    ],
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

/** Of a wire's path, by the names that its pattern has. */
function parametersOf({ path, words }: WirePath) {
  const said = words.parameters ?? [];
  const inPath = [...path.matchAll(/\{(\w+)\}/g)].map(([, name = ""]) => {
    const own = said.find((one) => one.in === "path" && one.name === name)?.description;
    const usual = name === "model" ? "The model's id; slashes may be escaped or not." : "Any word.";
    return parameter("path", name, own ?? usual);
  });
  const inQuery = said.filter((one) => one.in === "query");
  return [...inPath, ...inQuery.map(({ name, description }) => parameter("query", name, description))];
}

const parameter = (place: "path" | "query", name: string, description: string) => ({
  name,
  in: place,
  required: place === "path",
  description,
  schema: { type: "string" as const },
});

/** @param usual the gateway's policies, above which the wire's own stand */
export function wireOperation(wire: Wire, path: WirePath, usual: Policies) {
  const policies = { ...usual, ...wire.policies };
  const { words } = path;
  const about = {
    operationId: words.operationId,
    tags: [wire.tag.name],
    summary: words.summary,
    ...(words.description !== undefined && { description: words.description }),
  };
  const fails = failing(wire.errorSchema);
  return path.does === "embed"
    ? { ...about, ...embeddingOf(path, fails, policies) }
    : { ...about, ...tellingOf(path, fails, policies) };
}

const embeddingOf = (path: EmbedPath, fails: Fails, policies: Policies) => ({
  security: NEEDS_KEY,
  parameters: [
    ...parametersOf(path),
    ...(policies.provider_header === null ? [] : [forcing(policies.provider_header)]),
    forcing("X-Embedgate-Provider"),
  ],
  requestBody: { required: true, content: json(path.words.request) },
  responses: {
    200: {
      description: "The embeddings.",
      headers: {
        ...declared([...ALWAYS, ...WITH_EMBEDDINGS, ...WITH_RATE_LIMIT]),
      },
      content: json(path.words.response),
    },
    ...failures(fails, [
      [policies.invalid_status, "The body is wrong; the field is named."],
      [400, "There is no such provider, or not for this model."],
      [policies.unknown_model_status, "No such model."],
      [404, "The provider has no such model."],
    ]),
    ...keyErrors(fails),
    402: fails(
      "The workspace's credits are used up, its spending cap is reached (`retry-after` says when it starts again), or the model has no price.",
    ),
    405: fails("Another method than POST."),
    408: fails("The body did not arrive within the deadline."),
    409: fails("The embeddings would lie in another space than X-Embedgate-Space asks for."),
    413: fails("A body of more than 64 MB, or than server.max_body_memory_mb."),
    415: fails("Another content type than JSON, or an unknown content encoding."),
    429: limited(fails),
    431: fails("URL and headers of more than 16 KB."),
    500: fails("A bug in the gateway."),
    ...upstreamFailures(fails, policies),
  },
});

const tellingOf = (path: KnownPath | PublicPath, fails: Fails, policies: Policies) => ({
  security: path.does === "tell" ? NEEDS_KEY : [],
  parameters: parametersOf(path),
  ...(path.words.request !== undefined && {
    requestBody: { required: true, content: json(path.words.request) },
  }),
  responses: {
    200: {
      description: "The answer.",
      headers: REQUEST_HEADERS,
      content: path.words.response === undefined ? TEXT : json(path.words.response),
    },
    ...(path.method === "POST" &&
      failures(fails, [
        [policies.invalid_status, "The body is wrong; the field is named."],
        [400, "The body is no JSON."],
        [408, "The body did not come to its end within a minute."],
        [413, "A body of more than 1 MB."],
        [415, "Another content type than JSON, or an unknown content encoding."],
      ])),
    ...(path.does === "tell" && {
      ...keyErrors(fails),
      ...failures(fails, path.method === "GET" ? noModel(policies) : noModel(policies).slice(0, 1)),
      429: limited(fails),
    }),
    405: fails("Another method."),
    431: fails("An address and headers of more than 16 KB."),
    503: fails("The database is not available now."),
  },
});

/** Of all paths, by the gateway's policies. */
export function pathsOf(policies: Policies): Readonly<Record<string, object>> {
  const { listModels, showModel, health, readiness, metrics, notices, routes } = operationsOf(policies);
  const paths: Record<string, object> = {};
  for (const wire of WIRES) {
    for (const path of wire.paths.filter(({ isHidden }) => !isHidden)) {
      // A path that several wires have is the first's in the document.
      const method = path.method.toLowerCase();
      paths[path.path] = { [method]: wireOperation(wire, path, policies), ...paths[path.path] };
    }
  }
  return {
    ...paths,
    "/v1/models": { get: listModels },
    "/v1/models/{model}": { get: showModel },
    "/healthz": { get: health },
    "/readyz": { get: readiness },
    "/metrics": { get: metrics },
    "/admin/notices": { get: notices },
    "/admin/routes": { get: routes },
  };
}

/** Each once, in the order of the wires. */
const own = [
  { name: "models", description: "What can be asked for." },
  { name: "operation", description: "For whoever runs the gateway." },
];
export const TAGS = [
  ...new Map([...WIRES.map(({ tag }) => tag), ...own].map((tag) => [tag.name, tag])).values(),
];

const operationsOf = (policies: Policies) => ({
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
      ...failures(fails, noModel(policies)),
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
