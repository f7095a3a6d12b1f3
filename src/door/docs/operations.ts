/**
 * All paths of the OpenAPI document. Paths of a wire are described in wire-operations.ts; any other path is an entry here, and a line of `pathsOf`.
 */
import { type TSchema, Type } from "@sinclair/typebox";
import { ADMIN_SCHEMAS, ADMIN_TAG } from "../../admin/api/paths";
import { WIRES } from "../../dialects/wires";
import type { Policies } from "../../domain/policies";
import { ROUTE_STATE_EXAMPLE, RouteState } from "../../routes/states";
import { adminOperations } from "./admin-operations";
import { BATCH_SCHEMAS, BATCH_TAG, batchOperations } from "./batches";
import { noModelInPath } from "./no-model";
import {
  ADMIN_ERRORS,
  fails,
  failures,
  json,
  KNOWN_ERRORS,
  NEEDS_KEY,
  REQUEST_HEADERS,
  TEXT,
} from "./responses";
import { wireOperation } from "./wire-operations";

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
          "Those that may serve and whose circuit breaker is closed. No provider is called for this.",
      }),
    ),
    batches: Type.Optional(
      Type.Union([Type.Literal("ready"), Type.Literal("off"), Type.Literal("folder not mounted")], {
        description: "Whether files and batches are served; embeddings do not depend on it.",
      }),
    ),
    message: Type.Optional(Type.String({ description: "What ready means here." })),
  },
  { examples: [{ status: "ready", models: 1, routes: 2, routes_available: 2, batches: "ready" }] },
);

const Notices = Type.Object(
  {
    notices: Type.Array(
      Type.Object({
        space: Type.String({ description: "Empty where the notice is about no embedding space." }),
        provider: Type.String(),
        model: Type.String({ description: "Its name at the provider; may be empty, as the space." }),
        cosine: Type.Union([Type.Number(), Type.Null()], {
          description:
            "The lowest, between a probe text's vector and the reference vector of the space; null if nothing was compared.",
        }),
        out_of_service: Type.Boolean(),
        message: Type.String({ description: "The probable difference, and what to do." }),
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
            out_of_service: true,
            message: "another model. What to do: make the route a separate model.",
          },
        ],
      },
    ],
  },
);

const RouteStates = Type.Object(
  { routes: Type.Array(RouteState) },
  { examples: [{ routes: [ROUTE_STATE_EXAMPLE] }] },
);

/** All schemas, by the names that `$ref` uses. */
export function documentSchemas(policies: Policies): Readonly<Record<string, TSchema>> {
  const ofWires = WIRES.map(({ schemas }) => schemas(policies));
  return Object.assign({}, ...ofWires, { Status, Notices, RouteStates, ...BATCH_SCHEMAS }, ADMIN_SCHEMAS);
}

/** All paths, according to the gateway's policies. */
export function pathsOf(policies: Policies): Readonly<Record<string, object>> {
  const { listModels, showModel, health, readiness, metrics, notices, routes } = operationsOf(policies);
  const paths: Record<string, object> = {};
  for (const wire of WIRES) {
    for (const path of wire.paths.filter(({ isHidden }) => !isHidden)) {
      // If several wires have a path, the document describes that of the first.
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
    ...adminOperations({ headers: REQUEST_HEADERS, fails, json }),
    ...batchOperations(policies),
  };
}

/** The tags, each once, in the order of the wires. */
const own = [
  BATCH_TAG,
  { name: "models", description: "Models that clients can request." },
  { name: "operation", description: "For the gateway's operator." },
  ADMIN_TAG,
];
export const TAGS = [
  ...new Map([...WIRES.map(({ tag }) => tag), ...own].map((tag) => [tag.name, tag])).values(),
];

const operationsOf = (policies: Policies) => ({
  listModels: {
    operationId: "listModels",
    tags: ["models"],
    summary: "List the models",
    security: NEEDS_KEY,
    responses: {
      200: { description: "The models.", headers: REQUEST_HEADERS, content: json("ModelList") },
      ...KNOWN_ERRORS,
      405: fails("Wrong method: use GET."),
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
      ...failures(fails, noModelInPath(policies)),
      ...KNOWN_ERRORS,
      405: fails("Wrong method: use GET."),
    },
  },
  metrics: {
    operationId: "metrics",
    tags: ["operation"],
    summary: "Metrics for Prometheus",
    description: "Needs a key of 'embedgate keys create --admin' once a key exists.",
    security: NEEDS_KEY,
    responses: {
      200: { description: "The metrics.", headers: REQUEST_HEADERS, content: TEXT },
      ...ADMIN_ERRORS,
      405: fails("Wrong method: use GET."),
    },
  },
  notices: {
    operationId: "notices",
    tags: ["operation"],
    summary: "Current warnings for the operator: routes that differ from their space, APIs found",
    description: "Needs a key of 'embedgate keys create --admin' once a key exists.",
    security: NEEDS_KEY,
    responses: {
      200: {
        description: "The notices. An empty list: all is well.",
        headers: REQUEST_HEADERS,
        content: json("Notices"),
      },
      ...ADMIN_ERRORS,
      405: fails("Wrong method: use GET."),
    },
  },
  routes: {
    operationId: "routes",
    tags: ["operation"],
    summary: "The state of each route of each model, in the process that answers",
    description: "Needs a key of 'embedgate keys create --admin' once a key exists.",
    security: NEEDS_KEY,
    responses: {
      200: { description: "The routes.", headers: REQUEST_HEADERS, content: json("RouteStates") },
      ...ADMIN_ERRORS,
      405: fails("Wrong method: use GET."),
    },
  },
  health: {
    operationId: "health",
    tags: ["operation"],
    summary: "Whether the process is alive",
    security: [],
    responses: { 200: { description: "The process is alive.", content: json("Status") } },
  },
  readiness: {
    operationId: "readiness",
    tags: ["operation"],
    summary: "Whether requests can be answered now",
    security: [],
    responses: {
      200: { description: "The gateway is ready.", content: json("Status") },
      503: fails("The gateway is not ready."),
    },
  },
});
