/**
 * The door: the only file that assembles Elysia. Who asks comes first, then the path's own work; every error leaves in the dialect's
 * envelope. A new path is a line in `createDoor`, with its words for the document in src/docs.ts.
 */
import { Elysia } from "elysia";
import type { Metrics } from "./admin/metrics";
import type { Auth } from "./auth";
import { readJsonBody } from "./body";
import { encodeError } from "./dialects/openai";
import { OPERATIONS } from "./docs/operations";
import { docs } from "./docs/swagger";
import type { Caller } from "./domain";
import type { Answer, Arrival } from "./embed";
import { asGatewayError, GatewayError } from "./errors";
import { checkHead } from "./head";
import { listModels, showModel } from "./models";
import type { Outside } from "./outside";
import type { CacheUse } from "./recall";
import type { Routes } from "./route";
import type { UnderWay } from "./under-way";

export interface DoorParts {
  readonly auth: Auth;
  readonly routes: () => Routes;
  readonly outside: Outside;
  readonly startedAt: number;
  /** @throws GatewayError when requests cannot be answered now */
  readonly checkReady: () => void;
  readonly embed: (arrival: Arrival) => Promise<Answer>;
  readonly underWay: UnderWay;
  readonly metrics: Metrics;
  /** What a request may take in all; a reload may change it. */
  readonly deadlineMs: () => number;
}

/** The part of Bun's server that a handler needs. */
interface RequestTimer {
  timeout(request: Request, seconds: number): void;
}

interface Visit {
  readonly request: Request;
  readonly server: RequestTimer | null;
}

type Detail = (typeof OPERATIONS)[keyof typeof OPERATIONS] | { readonly hide: true };

type Work = (visit: Visit, caller: Caller, requestId: string) => Promise<Answer> | Answer;

export type Door = ReturnType<typeof createDoor>;

export function createDoor(parts: DoorParts) {
  const { auth, routes, outside, startedAt, underWay, metrics } = parts;

  /** A path that only known callers may use. */
  const known =
    (work: Work) =>
    ({ request, server }: Visit) =>
      respond({ request, server }, (visit, requestId) => work(visit, auth.identify(request), requestId));

  async function respond(
    visit: Visit,
    work: (visit: Visit, requestId: string) => Promise<Answer> | Answer,
  ): Promise<Response> {
    const requestId = `req_${outside.randomBytes(16).toHex()}`;
    const began = outside.monotonic();
    const headers = new Headers({ "content-type": "application/json", "x-request-id": requestId });
    let status = 200;
    let body: string;
    try {
      checkHead(visit.request);
      const answer = await work(visit, requestId);
      body = answer.body;
      for (const [name, value] of Object.entries(answer.headers)) headers.set(name, value);
    } catch (thrown) {
      const error = asGatewayError(thrown);
      if (error !== thrown)
        outside.log("error", "a request ended in a fault", { request: requestId, cause: String(thrown) });
      status = error.meaning.status;
      body = encodeError(error);
      setErrorHeaders(headers, error);
    }
    // Whoever keeps a connection open would ask again here, of a gateway that ends.
    if (underWay.isEnding()) headers.set("connection", "close");
    headers.set("openai-processing-ms", String(Math.round(outside.monotonic() - began)));
    return new Response(body, { status, headers });
  }

  const failing = (error: GatewayError) => (visit: Visit) =>
    respond(visit, () => {
      throw error;
    });

  /** Counted before the key is looked up: what is one too many costs nothing. */
  const embeddings = (visit: Visit) =>
    respond(visit, async ({ request, server }, requestId) => {
      let caller: Caller | undefined;
      try {
        return await underWay.run((ending) => {
          caller = auth.identify(request);
          // Bun would cut a slow answer off after 10 s; the request has its own deadline.
          server?.timeout(request, 0);
          const gone = () => ending.abort(clientGone());
          if (request.signal.aborted) gone();
          else request.signal.addEventListener("abort", gone, { once: true });
          const reading = { timeMs: parts.deadlineMs(), over: ending.signal, outside };
          return parts.embed({
            requestId,
            caller,
            body: () => readJsonBody(request, reading),
            cacheUse: cacheUseOf(request.headers),
            pinnedSpace: request.headers.get("x-embedgate-space")?.trim() || undefined,
            clientGone: ending.signal,
          });
        });
      } catch (thrown) {
        // Of nobody's request there is no ledger row, only a count.
        if (!caller) metrics.refused(asGatewayError(thrown).meaning.status);
        throw thrown;
      }
    });

  const showMetrics = (visit: Visit) =>
    respond(visit, async ({ request }) => {
      auth.identifyAdmin(request);
      return { body: await metrics.text(), headers: { "content-type": metrics.contentType } };
    });

  const model: Work = ({ request }) => showModel(routes(), modelIdOf(request), startedAt);
  const noSuchPath = new GatewayError(
    "unknown_path",
    "There is no such path here. /swagger lists the paths there are.",
  );

  /** A path that answers one method. Elysia would call the path unknown to every other. */
  const only = (
    method: "GET" | "POST",
    path: string,
    handle: (visit: Visit) => Promise<Response>,
    detail: Detail,
  ) =>
    new Elysia()
      .route(method, path, handle, { parse: "none", detail })
      .all(path, wrongMethod(method, handle), { parse: "none", detail: { hide: true } });

  /** Health checks of load balancers ask by HEAD. */
  const wrongMethod = (allowed: "GET" | "POST", handle: (visit: Visit) => Promise<Response>) => {
    const error = new GatewayError("wrong_method", `This path answers ${allowed} only.`, { allowed });
    return ({ request, server }: Visit) =>
      allowed === "GET" && request.method === "HEAD"
        ? handle({ request, server })
        : failing(error)({ request, server });
  };

  return (
    new Elysia({ normalize: false })
      .onError(({ error, code, request }) =>
        failing(code === "NOT_FOUND" ? noSuchPath : asGatewayError(error))({ request, server: null }),
      )
      .use(docs())
      .use(only("POST", "/v1/embeddings", embeddings, OPERATIONS.createEmbeddings))
      .use(
        only(
          "GET",
          "/v1/models",
          known(() => listModels(routes(), startedAt)),
          OPERATIONS.listModels,
        ),
      )
      .use(only("GET", "/v1/models/:model", known(model), OPERATIONS.showModel))
      // Ids hold slashes (`openai/text-embedding-3-small`), which clients send escaped or not.
      .use(only("GET", "/v1/models/*", known(model), { hide: true }))
      .use(
        only("GET", "/healthz", (visit) => respond(visit, () => plain({ status: "ok" })), OPERATIONS.health),
      )
      .use(only("GET", "/readyz", (visit) => respond(visit, ready), OPERATIONS.readiness))
      .use(only("GET", "/metrics", showMetrics, OPERATIONS.metrics))
      .get("/", () => Response.redirect("/swagger", 302), { detail: { hide: true } })
  );

  function ready(): Answer {
    parts.checkReady();
    return plain({
      status: "ready",
      models: routes()
        .list()
        .filter(({ embeddings: embeds }) => embeds).length,
    });
  }
}

const clientGone = () => new GatewayError("cancelled", "The client closed the connection.");

const plain = (value: unknown): Answer => ({ body: JSON.stringify(value), headers: {} });

/** As RFC 9111 (5.2.1) means a request's directives: no-cache asks anew, no-store leaves nothing behind either. */
function cacheUseOf(headers: Headers): CacheUse {
  const directives = (headers.get("cache-control") ?? "").toLowerCase().split(/[\s,]+/);
  const store = !directives.includes("no-store");
  return { find: store && !directives.includes("no-cache"), keep: store };
}

function setErrorHeaders(headers: Headers, error: GatewayError): void {
  const { status } = error.meaning;
  if (status === 401) headers.set("www-authenticate", "Bearer");
  if (error.allowed !== undefined) headers.set("allow", error.allowed);
  if (error.retryAfterMs !== undefined && (status === 429 || status === 503)) {
    headers.set("retry-after", String(Math.max(1, Math.ceil(error.retryAfterMs / 1000))));
  }
}

function modelIdOf(request: Request): string {
  const escaped = new URL(request.url).pathname.slice("/v1/models/".length);
  try {
    return decodeURIComponent(escaped);
  } catch {
    return escaped;
  }
}
