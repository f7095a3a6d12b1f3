/**
 * The door: the only file that assembles Elysia. Who asks comes first, then the path's own work; every error leaves in the dialect's
 * envelope. A new path is a line in `createDoor`, with its words in src/door/docs/operations.ts; one that embeds is in src/dialects/wires.ts.
 */
import { Elysia } from "elysia";
import type { Metrics } from "../admin/metrics";
import type { Exchange } from "../books/money";
import type { Auth } from "../callers/auth";
import { openaiWire } from "../dialects/openai";
import type { Wire } from "../dialects/wire";
import { WIRES } from "../dialects/wires";
import { wordingOf } from "../dialects/wording";
import type { EndSignal } from "../domain/ending";
import { asGatewayError, GatewayError } from "../domain/errors";
import { sendable } from "../domain/header-values";
import type { Outside } from "../domain/outside";
import type { Policies } from "../domain/policies";
import type { Caller } from "../domain/request";
import type { Answer, Arrival } from "../request/embed";
import type { CacheUse } from "../request/recall";
import { forcedProviderOf } from "../routes/forced-provider";
import type { Routes } from "../routes/route";
import { routeStates } from "../routes/states";
import type { SpaceNotice } from "../spaces/notices";
import { readJsonBody } from "./body";
import type { BodyMemory } from "./body-memory";
import { embeddingsOperation, type Operations, operationsOf } from "./docs/operations";
import { checkHead } from "./head";
import { type Listing, listModels, showModel } from "./models";
import { isAt, isCutTooFar } from "./paths";
import type { Client, Sending, Sent } from "./sending";
import type { UnderWay } from "./under-way";

export interface DoorParts {
  readonly auth: Auth;
  readonly routes: () => Routes;
  /**
   * How the caller's workspace speaks; while nobody is known, how the gateway does.
   * @throws GatewayError database_unavailable for a caller
   */
  readonly policies: (caller?: Caller) => Policies;
  readonly exchange: () => Exchange;
  /** The routing file's JSON Schema. */
  readonly fileSchema: () => object;
  /** What whoever runs the gateway should know now. */
  readonly notices: () => readonly SpaceNotice[];
  /** Ids and patterns that the caller's workspace may use. */
  readonly allowedModels: (caller: Caller) => readonly string[];
  readonly outside: Outside;
  readonly startedAt: number;
  /** @throws GatewayError when requests cannot be answered now */
  readonly checkReady: () => void;
  /** How long a connection is kept on which nothing moves. */
  readonly idleSeconds: number;
  /** Whether it is asked over https. */
  readonly isTls: boolean;
  /** Counts one request against the workspace's limit. @throws GatewayError rate_limited | database_unavailable */
  readonly takeRequest: (caller: Caller) => void;
  readonly embed: (arrival: Arrival) => Promise<Answer>;
  readonly underWay: UnderWay;
  readonly bodyMemory: BodyMemory;
  /** Of one body, as it is now. */
  readonly bodyBytesMax: () => number;
  readonly metrics: Metrics;
  readonly sending: Sending;
}

/** The part of Bun's server that a handler needs. */
interface RequestTimer {
  timeout(request: Request, seconds: number): void;
}

interface Visit {
  readonly request: Request;
  readonly server: RequestTimer | null;
  /** Of a path that embeds. Others speak OpenAI's. */
  readonly wire?: Wire;
}

type Detail = Operations[keyof Operations] | ReturnType<typeof embeddingsOperation> | { readonly hide: true };

/** What a path does. From `speak` on, errors are the caller's in its own wire's words. */
type Work = (visit: Visit, requestId: string, speak: Speak) => Promise<Said> | Said;

/** An answer, and its status where it is not 200. */
interface Said {
  readonly body: Answer["body"] | ReadableStream<Uint8Array>;
  readonly headers: Answer["headers"];
  readonly status?: number;
}

type Speak = (caller: Caller) => Policies;

export type Door = ReturnType<typeof createDoor>;

export function createDoor(parts: DoorParts) {
  const { auth, routes, outside, startedAt, underWay, metrics, sending } = parts;

  /** A path that only known callers may use. */
  const known =
    (work: (visit: Visit, policies: Policies, caller: Caller) => Answer) =>
    ({ request, server }: Visit) =>
      respond({ request, server }, async (visit, _, speak) => {
        const caller = await auth.identify(request);
        const policies = speak(caller);
        parts.takeRequest(caller);
        return work(visit, policies, caller);
      });

  async function respond(visit: Visit, work: Work): Promise<Response> {
    const requestId = newRequestId(outside);
    const began = outside.monotonic();
    const headers = new Headers({
      ...HEADERS_OF_ALL,
      "content-type": "application/json",
      "x-request-id": requestId,
    });
    let status = 200;
    let isUnread = false;
    let body: Said["body"];
    let policies = parts.policies();
    const speak = (caller: Caller) => {
      policies = parts.policies(caller);
      return policies;
    };
    try {
      checkHead(visit.request);
      const answer = await work(visit, requestId, speak);
      body = answer.body;
      status = answer.status ?? status;
      for (const [name, value] of Object.entries(answer.headers)) headers.set(name, sendable(value));
    } catch (thrown) {
      const error = asGatewayError(thrown);
      if (error !== thrown)
        outside.log("error", "a request ended in a fault", { request: requestId, cause: String(thrown) });
      status = wordingOf(error, policies).status;
      body = (visit.wire ?? openaiWire).encodeError(error, policies);
      setErrorHeaders(headers, error, status);
      isUnread = error.kind === "slow_body";
    }
    // Whoever keeps a connection open would ask again here, of a gateway that ends, or go on with a body that nobody reads any more.
    if (underWay.isLeaving() || isUnread) headers.set("connection", "close");
    headers.set("openai-processing-ms", String(Math.round(outside.monotonic() - began)));
    return new Response(sent(body, visit, visit.request.signal), { status, headers });
  }

  /** Only of what is not being sent already. */
  function sent(
    body: Said["body"],
    { request, server }: Visit,
    gone: EndSignal,
    keep?: Client["keep"],
  ): Sent {
    if (body instanceof ReadableStream) return body;
    // Nobody takes the body of an answer to HEAD.
    if (request.method === "HEAD") return typeof body === "object" && "stream" in body ? "" : body;
    return sending.begin(body, { gone, reader: server ? "server" : "other", keep });
  }

  const failing = (error: GatewayError) => (visit: Visit) =>
    respond(visit, () => {
      throw error;
    });

  /** Counted before the key is looked up: what is one too many costs nothing. */
  const embeddings = (wire: Wire, { request, server }: Visit) =>
    respond({ request, server, wire }, async (_, requestId, speak) => {
      let caller: Caller | undefined;
      let isSending = false;
      let leaveMemory = () => {};
      // Not before: Bun forgets what it does with connections that nothing comes on, once it was told to wait.
      const waitNoLonger = () => server?.timeout(request, parts.idleSeconds);
      try {
        return await underWay.run(async (ending, keep) => {
          const known = await auth.identify(request);
          caller = known;
          // Bun would cut a slow answer off after 10 s; the request has its own deadline.
          server?.timeout(request, 0);
          const gone = () => ending.abort(clientGone());
          if (request.signal.aborted) gone();
          else request.signal.addEventListener("abort", gone);
          const place = parts.bodyMemory.enter(known.workspace);
          leaveMemory = place.leave;
          const answer = await parts.embed({
            requestId,
            caller: known,
            wire,
            path: new URL(request.url).pathname,
            speech() {
              const policies = speak(known);
              return { policies, forced: forcedProviderOf(request.headers, policies) };
            },
            body: () => readJsonBody(request, { over: ending, bytesMax: parts.bodyBytesMax(), place }),
            cacheUse: cacheUseOf(request.headers),
            pinnedSpace: request.headers.get("x-embedgate-space")?.trim() || undefined,
            ending,
          });
          const kept = () => {
            isSending = true;
            const leave = keep();
            return () => {
              leave();
              waitNoLonger();
            };
          };
          return { ...answer, body: sent(answer.body, { request, server }, ending, kept) };
        });
      } catch (thrown) {
        // Of nobody's request there is no ledger row, only a count.
        if (!caller) metrics.refused(wordingOf(asGatewayError(thrown), parts.policies()).status);
        throw thrown;
      } finally {
        leaveMemory();
        if (!isSending) waitNoLonger();
      }
    });

  const showMetrics = (visit: Visit) =>
    respond(visit, async ({ request }) => {
      auth.identifyAdmin(request);
      return { body: await metrics.text(), headers: { "content-type": metrics.contentType } };
    });

  const showNotices = (visit: Visit) =>
    respond(visit, ({ request }) => {
      auth.identifyAdmin(request);
      return plain({ notices: parts.notices() });
    });

  const showRoutes = (visit: Visit) =>
    respond(visit, ({ request }) => {
      auth.identifyAdmin(request);
      return plain({ routes: routeStates(routes().named(), outside) });
    });

  const listing = (policies: Policies, caller: Caller): Listing => ({
    policies,
    allowed: parts.allowedModels(caller),
    exchange: parts.exchange(),
    startedAt,
    now: outside.now(),
  });
  const model = ({ request }: Visit, policies: Policies, caller: Caller) =>
    showModel(routes(), modelIdOf(request), listing(policies, caller));
  const operations = operationsOf(parts.policies());
  const noSuchPath = new GatewayError("unknown_path", "Unknown path. /swagger lists all paths.");

  /** What stands at each path, for where Elysia does not find it. */
  const declared = new Map<string, (visit: Visit) => Promise<Response>>();

  /** A path that answers one method. Elysia would call the path unknown to every other. */
  const only = (
    method: "GET" | "POST",
    path: string,
    handle: (visit: Visit) => Promise<Response>,
    detail: Detail,
  ) => {
    const other = wrongMethod(method, handle);
    declared.set(path, (visit) => (visit.request.method === method ? handle(visit) : other(visit)));
    // Spelt out: for a handler that hands on all it is given, Elysia copies every answer through a stream.
    const found =
      (work: (visit: Visit) => Promise<Response>) =>
      ({ request, server }: Visit) =>
        (isCutTooFar(request.url) ? atItsPath : work)({ request, server });
    return new Elysia()
      .route(method, path, found(handle), { parse: "none", detail })
      .all(path, found(other), { parse: "none", detail: { hide: true } });
  };

  /** Where Elysia found another path, or none. */
  const atItsPath = (visit: Visit) => {
    const { pathname } = new URL(visit.request.url);
    const [, work = failing(noSuchPath)] = [...declared].find(([path]) => isAt(path, pathname)) ?? [];
    return work(visit);
  };

  /** Health checks of load balancers ask by HEAD. */
  const wrongMethod = (allowed: "GET" | "POST", handle: (visit: Visit) => Promise<Response>) => {
    const error = new GatewayError("wrong_method", `This path answers ${allowed} only.`, { allowed });
    return ({ request, server }: Visit) =>
      allowed === "GET" && request.method === "HEAD"
        ? handle({ request, server })
        : failing(error)({ request, server });
  };

  const pathsOf = (wire: Wire) => {
    const embed = (visit: Visit) => embeddings(wire, visit);
    const paths = only("POST", wire.path, embed, embeddingsOperation(wire, parts.policies()));
    for (const alias of wire.aliases ?? []) paths.use(only("POST", alias, embed, { hide: true }));
    return paths;
  };

  const listed = known((_, policies, caller) => listModels(routes(), listing(policies, caller)));
  const healthy = (visit: Visit) => respond(visit, () => plain({ status: "ok" }));
  const allPaths = () => [
    ...WIRES.map(pathsOf),
    only("GET", "/v1/models", listed, operations.listModels),
    only("GET", "/v1/models/:model", known(model), operations.showModel),
    // Ids hold slashes (`openai/text-embedding-3-small`), which clients send escaped or not.
    only("GET", "/v1/models/*", known(model), { hide: true }),
    only("GET", "/healthz", healthy, operations.health),
    only("GET", "/readyz", (visit) => respond(visit, ready), operations.readiness),
    only("GET", "/metrics", showMetrics, operations.metrics),
    only("GET", "/admin/notices", showNotices, operations.notices),
    only("GET", "/admin/routes", showRoutes, operations.routes),
  ];

  /** Made for the first who asks: most gateways are never asked, and all start sooner without. */
  let documented: Promise<{ handle(request: Request): Response | Promise<Response> }> | undefined;
  const showDocs = (visit: Visit) =>
    respond(visit, async ({ request }) => {
      auth.admitWithoutKey(request);
      documented ??= import("./docs/swagger").then(({ docs }) =>
        new Elysia().use(docs(() => parts.policies(), parts.fileSchema)).use(allPaths()),
      );
      const { pathname, search } = new URL(request.url);
      const page = await (await documented).handle(new Request(`http://localhost${pathname}${search}`));
      if (page.status === 404) throw noSuchPath;
      return { body: new Uint8Array(await page.arrayBuffer()), headers: page.headers.toJSON() };
    });
  const toDocs = (visit: Visit) =>
    respond(visit, ({ request }) => {
      auth.admitWithoutKey(request);
      return { status: 302, body: "", headers: { location: "/swagger" } };
    });

  return new Elysia({ normalize: false, handler: { standardHostname: parts.isTls } })
    .onError(({ error, code, request, server }) => {
      const visit = { request, server };
      return code === "NOT_FOUND" ? atItsPath(visit) : failing(asGatewayError(error))(visit);
    })
    .use(allPaths())
    .use(only("GET", "/swagger", showDocs, { hide: true }))
    .use(only("GET", "/swagger/*", showDocs, { hide: true }))
    .use(only("GET", "/", toDocs, { hide: true }));

  function ready({ request }: Visit): Answer {
    auth.admitWithoutKey(request);
    parts.checkReady();
    return plain({
      status: "ready",
      models: routes()
        .list()
        .filter(({ embeddings: embeds }) => embeds).length,
    });
  }
}

/** For browsers: no answer is another type than it says, part of another site's page, or told of to where a link in it leads. */
const HEADERS_OF_ALL = {
  "x-content-type-options": "nosniff",
  "x-frame-options": "DENY",
  "referrer-policy": "no-referrer",
};

/**
 * Its time in front, so that ids grow: the ledger's index of them is written at its end, a few pages for many rows, rather than a page
 * for each row somewhere.
 */
function newRequestId({ now, randomBytes }: Outside): string {
  return `req_${now().toString(16).padStart(12, "0")}${randomBytes(10).toHex()}`;
}

const clientGone = () => new GatewayError("cancelled", "The client closed the connection.");

const plain = (value: unknown): Answer => ({ body: JSON.stringify(value), headers: {} });

/** As RFC 9111 (5.2.1) means a request's directives: no-cache asks anew, no-store leaves nothing behind either. */
function cacheUseOf(headers: Headers): CacheUse {
  const said = headers.get("cache-control");
  if (said === null) return { find: true, keep: true };
  const directives = said.toLowerCase().split(/[\s,]+/);
  const store = !directives.includes("no-store");
  return { find: store && !directives.includes("no-cache"), keep: store };
}

function setErrorHeaders(headers: Headers, error: GatewayError, status: number): void {
  if (status === 401) headers.set("www-authenticate", "Bearer");
  if (error.allowed !== undefined) headers.set("allow", error.allowed);
  for (const [name, value] of Object.entries(error.headers ?? {})) headers.set(name, sendable(value));
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
