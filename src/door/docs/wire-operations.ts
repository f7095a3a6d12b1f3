/**
 * The published document's entry for an API's path: its purpose, input and answers by the dialect's policies. The texts are
 * the API's own (src/dialects/wire.ts).
 */
import type { EmbedPath, KnownPath, PublicPath, Wire, WirePath } from "../../dialects/wire";
import type { Policies } from "../../domain/policies";
import { ALWAYS, WITH_EMBEDDINGS, WITH_RATE_LIMIT } from "./headers";
import { noModelInBody, noModelInPath } from "./no-model";
import {
  declared,
  type Fails,
  failing,
  failures,
  forcing,
  json,
  keyErrors,
  limited,
  NEEDS_KEY,
  parameter,
  REQUEST_HEADERS,
  TEXT,
  upstreamFailures,
} from "./responses";

/** The parameters of a path, by the names in its pattern. */
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

/** @param usual the gateway's policies, which the API's own override */
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
      [400, "The provider does not exist, or does not have this model."],
      [policies.unknown_model_status, "No such model."],
      [404, "The provider does not have this model."],
    ]),
    ...keyErrors(fails),
    402: fails(
      "The workspace's credits are used up, its spending cap is reached (`retry-after` says when it starts again), or the model has no price.",
    ),
    405: fails("Wrong method: use POST."),
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
        [400, "The body is not JSON."],
        [408, "The body was not complete within a minute."],
        [413, "A body of more than 1 MB."],
        [415, "Another content type than JSON, or an unknown content encoding."],
      ])),
    ...(path.does === "tell" && {
      ...keyErrors(fails),
      ...failures(fails, path.method === "GET" ? noModelInPath(policies) : noModelInBody(policies)),
      429: limited(fails),
    }),
    405: fails("Wrong method."),
    431: fails("URL and headers of more than 16 KB."),
    503: fails("The database is not available now; of a POST also: too many requests are in flight."),
  },
});
