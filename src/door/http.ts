/**
 * The HTTP server, the only file that uses Elysia: authenticates the caller, runs the path's handler, and writes errors in the wire's format.
 * A new path of a wire is part of the wire (src/dialects/wires.ts); any other path is a line of `own`, with its description in
 * src/door/docs/operations.ts.
 */
import { Elysia } from "elysia";
import { openaiWire } from "../dialects/openai-wire";
import type { EmbedPath, Question, Wire, WirePath } from "../dialects/wire";
import { WIRES } from "../dialects/wires";
import { wordingOf } from "../dialects/wording";
import { asGatewayError, GatewayError } from "../domain/errors";
import { sendable } from "../domain/header-values";
import type { Policies } from "../domain/policies";
import type { Caller } from "../domain/request";
import { newRequestId } from "../domain/request-id";
import { unlessAborted } from "../domain/until";
import type { Answer } from "../request/embed";
import { forcedProviderOf } from "../routes/forced-provider";
import { routeStates } from "../routes/states";
import { adminPaths, isOfAdmin } from "./admin";
import { askedOf, questionOf, smallBodyOf, told } from "./asked";
import { batchPaths } from "./batches";
import { readJsonBody } from "./body";
import { bodyArrived } from "./body-arrived";
import type { BodyPlace } from "./body-memory";
import { corsHeaders, preflightHeaders } from "./cors";
import { dashboardFor } from "./dashboard";
import { endpointsOf } from "./endpoints";
import { logFailed, type Tell } from "./failed";
import { checkHead } from "./head";
import { cacheUseOf, clientRequestId, HEADERS_OF_ALL, setErrorHeaders } from "./headers";
import { factsFor, type Listing, listModels, showModel } from "./models";
import type { DoorParts, RequestTimer, Said, Served, Speak, Visit, Work } from "./parts";
import { readiness } from "./ready";
import type { Client, Sent } from "./sending";
import type { Flight } from "./under-way";

export type Door = ReturnType<typeof createDoor>;

export function createDoor(parts: DoorParts) {
  const { auth, routes, outside, startedAt, underWay, metrics, sending } = parts;

  /** A path for authenticated callers only. */
  const known =
    (work: (visit: Visit, policies: Policies, caller: Caller) => Answer | Promise<Answer>) => (at: Visit) =>
      respond(at, async (visit, _, speak) => {
        const caller = await auth.identify(visit.request);
        const policies = speak(caller);
        await parts.takeRequest(caller);
        return work(visit, policies, caller);
      });

  /** The origins of web pages that may call; none for the operator's paths. */
  const originsFor = ({ url }: Pick<Request, "url">) => {
    const origins = parts.corsOrigins();
    return origins && !isOfAdmin(URL.parse(url)?.pathname ?? "") ? origins : undefined;
  };

  const policiesAt = ({ policies }: Wire, caller?: Caller): Policies =>
    policies === undefined ? parts.policies(caller) : { ...parts.policies(caller), ...policies };

  async function respond(visit: Visit, work: Work): Promise<Response> {
    const requestId = newRequestId(outside);
    const began = outside.monotonic();
    const headers = new Headers(HEADERS_OF_ALL);
    headers.set("x-request-id", requestId);
    const cors = corsHeaders(visit.request, originsFor(visit.request));
    for (const name in cors) headers.set(name, cors[name] ?? "");
    const theirs = clientRequestId(visit.request);
    if (theirs !== undefined) headers.set("x-client-request-id", theirs);
    let status = 200;
    let isUnread = false;
    let body: Said["body"];
    const { wire = openaiWire } = visit;
    /** Undefined while the gateway's own would be used. */
    let policiesOfCaller: Policies | undefined;
    let known: Readonly<Record<string, unknown>> = theirs === undefined ? {} : { client_request: theirs };
    const tell: Tell = (more) => {
      known = { ...known, ...more };
    };
    const speak = (caller: Caller) => {
      tell({ workspace: caller.workspace, key: caller.keyId });
      policiesOfCaller = policiesAt(wire, caller);
      return policiesOfCaller;
    };
    try {
      checkHead(visit.request);
      const answer = await work(visit, requestId, speak, tell);
      body = answer.body;
      status = answer.status ?? status;
      for (const name in answer.headers) headers.set(name, sendable(answer.headers[name] ?? ""));
    } catch (thrown) {
      const error = asGatewayError(thrown);
      const latencyMs = outside.monotonic() - began;
      const policies = policiesOfCaller ?? policiesAt(wire);
      const { request } = visit;
      logFailed(outside, { requestId, request, error, policies, latencyMs, known });
      status = wordingOf(error, policies).status;
      body = wire.encodeError(error, policies);
      setErrorHeaders(headers, error, status, wire.errorHeaders?.(error, policies));
      isUnread = error.kind === "slow_body";
      await bodyArrived(request, outside);
    }
    // Otherwise the client would send its next request to a gateway that shuts down, or the rest of a body that is not read.
    if (underWay.isLeaving() || isUnread) headers.set("connection", "close");
    headers.set("openai-processing-ms", String(Math.round(outside.monotonic() - began)));
    return new Response(sent(body, visit, { gone: visit.request.signal, requestId }), { status, headers });
  }

  /** Starts sending a body, unless it is being sent already. */
  function sent(
    body: Said["body"],
    { request, server }: Pick<Visit, "request" | "server">,
    client: Omit<Client, "reader">,
  ): Sent {
    if (body instanceof ReadableStream) return body;
    // An answer to HEAD has no body.
    if (request.method === "HEAD") return typeof body === "object" && "stream" in body ? "" : body;
    return sending.begin(body, { ...client, reader: server ? "server" : "other" });
  }

  const failing = (error: GatewayError) => (visit: Visit) =>
    respond(visit, () => {
      throw error;
    });

  /** Requests in flight are counted before the key is looked up, so that one too many costs little. */
  const embeddings = (path: EmbedPath, pattern: string, at: Visit) =>
    respond(at, async ({ request, server, params }, requestId, speak, tell) => {
      let caller: Caller | undefined;
      let flight: Flight | undefined;
      let place: BodyPlace | undefined;
      let isSending = false;
      // Called after the request: once a request has another timeout, Bun forgets the idle timeout of its connection.
      const waitNoLonger = () => server?.timeout(request, parts.idleSeconds);
      try {
        const entered = underWay.enter();
        flight = entered;
        const { ending } = entered;
        const identified = auth.identify(request);
        const known = identified instanceof Promise ? await identified : identified;
        caller = known;
        // Bun would abort a slow answer after 10 s; the request has its own deadline.
        server?.timeout(request, 0);
        const gone = () => ending.abort(clientGone());
        if (request.signal.aborted) gone();
        else request.signal.addEventListener("abort", gone);
        const own = parts.bodyMemory.enter(known.workspace);
        place = own;
        const answer = await parts.embed({
          requestId,
          caller: known,
          decode(body, policies) {
            const defaultModel = parts.defaultModel();
            return path.decode(body, askedOf(request, { pattern, params, policies, defaultModel }));
          },
          speech() {
            const policies = speak(known);
            return { policies, forced: forcedProviderOf(request.headers, policies) };
          },
          body: () =>
            readJsonBody(request, {
              over: ending,
              bytesMax: parts.bodyBytesMax(),
              place: own,
              mediaTypes: path.mediaTypes,
            }),
          cacheUse: cacheUseOf(request.headers),
          pinnedSpace: request.headers.get("x-embedgate-space")?.trim() || undefined,
          ending,
          failing: tell,
          trace: parts.beginTrace(request, requestId),
        });
        const kept = () => {
          isSending = true;
          const leave = entered.keep();
          return () => {
            leave();
            waitNoLonger();
          };
        };
        const body = sent(answer.body, { request, server }, { gone: ending, keep: kept, requestId });
        return { body, headers: answer.headers };
      } catch (cause) {
        const thrown = flight ? flight.reasonOf(cause) : cause;
        // A request without an authenticated caller has no ledger row, and is only counted.
        if (!caller) {
          const { kind } = asGatewayError(thrown);
          const { status, code } = wordingOf(asGatewayError(thrown), parts.policies());
          metrics.refused(status, code ?? kind);
        }
        throw thrown;
      } finally {
        place?.leave();
        flight?.leave();
        if (!isSending) waitNoLonger();
      }
    });

  /** Admits only the operator. Requests of other authenticated callers count towards their rate limit, too. */
  const operatorOf = async (request: Request, speak: Speak) => {
    let counted: Promise<undefined> | undefined;
    try {
      return await auth.identifyOperator(request, (caller) => {
        speak(caller);
        counted = parts.takeRequest(caller);
      });
    } catch (refusal) {
      await counted;
      throw refusal;
    }
  };
  const forAdmins = (work: () => Answer | Promise<Answer>) => (at: Visit) =>
    respond(at, async ({ request }, _, speak) => {
      await operatorOf(request, speak);
      return work();
    });
  const smallBody = async (request: Request) => {
    const place = parts.bodyMemory.enter(NOBODY);
    try {
      return await smallBodyOf(request, place, outside);
    } finally {
      place.leave();
    }
  };
  const adminApi = adminPaths(parts.admin, operatorOf, smallBody).map(
    ({ method, path, work }): Served => ({
      method,
      path,
      handle: (at) => respond(at, (visit, _, speak) => work(visit, speak)),
    }),
  );

  const showMetrics = forAdmins(async () => ({
    body: await metrics.text(),
    headers: { "content-type": metrics.contentType },
  }));
  const showNotices = forAdmins(() => plain({ notices: parts.notices() }));
  const showRoutes = forAdmins(() =>
    plain({ routes: routeStates(routes().named(), parts.notices(), outside) }),
  );

  const listing = (policies: Policies, caller: Caller): Listing => ({
    policies,
    allowed: parts.allowedModels(caller),
    exchange: parts.exchange(),
    startedAt,
    now: outside.now(),
  });
  const noSuchPath = new GatewayError("unknown_path", UNKNOWN_PATH);

  function handlerOf(path: WirePath, pattern: string): (visit: Visit) => Promise<Response> {
    if (path.does === "embed") return (visit) => embeddings(path, pattern, visit);
    const ask = async <Said>(
      { request, params }: Visit,
      policies: Policies,
      workspace: string,
      work: (question: Question) => Said | Promise<Said>,
    ) => {
      const place = parts.bodyMemory.enter(workspace);
      const asked = askedOf(request, { pattern, params, policies, defaultModel: parts.defaultModel() });
      try {
        const question = questionOf(request, asked, path, place, outside);
        if (path.method === "GET") return await work(question);
        // Its body and texts take memory and time, like those of an embedding.
        return await underWay.run((ending) => unlessAborted(ending, Promise.resolve(work(question))));
      } finally {
        place.leave();
      }
    };
    if (path.does === "tell")
      return known(async (visit, policies, caller) => {
        const facts = factsFor(routes(), listing(policies, caller), parts.tokens);
        return told(await ask(visit, policies, caller.workspace, (question) => path.tell(question, facts)));
      });
    return (at) =>
      respond(at, async (visit) => {
        auth.admitWithoutKey(visit.request);
        return told(await ask(visit, policiesAt(visit.wire ?? openaiWire), NOBODY, path.tell));
      });
  }

  const ofWire = (wire: Wire): readonly Served[] =>
    wire.paths.flatMap((path) =>
      [path.path, ...(path.aliases ?? [])].map((pattern) => ({
        method: path.method,
        path: pattern,
        wire,
        when: path.when,
        handle: handlerOf(path, pattern),
      })),
    );

  const listed = known((_, policies, caller) => listModels(routes(), listing(policies, caller)));
  const shown = known(({ params }, policies, caller) =>
    showModel(routes(), params.model ?? "", listing(policies, caller)),
  );
  const healthy = (visit: Visit) => respond(visit, () => plain({ status: "ok" }));
  const get = (path: string, handle: Served["handle"], more: Partial<Served> = {}): Served => ({
    method: "GET",
    path,
    handle,
    ...more,
  });
  const own: readonly Served[] = [
    get("/v1/models", listed, { wire: openaiWire }),
    // Ids contain slashes (`openai/text-embedding-3-small`), which clients send escaped or not.
    get("/v1/models/{model}", shown, { wire: openaiWire }),
    get("/healthz", healthy),
    get("/readyz", (visit) => respond(visit, ready)),
    get("/metrics", showMetrics),
    get("/admin/notices", showNotices),
    get("/admin/routes", showRoutes),
    ...adminApi,
    get("/swagger", showDocs),
    get("/swagger/{model}", showDocs),
    get("/", showDashboard),
    get("/dashboard/{file}", showDashboard),
    ...batchPaths(respond, parts),
  ];
  const endpoints = endpointsOf([...WIRES.flatMap(ofWire), ...own]);

  function visited(request: Request, server: RequestTimer | null): Promise<Response> {
    const headers = preflightHeaders(request, originsFor(request));
    if (headers) return respond({ request, server, params: {} }, () => ({ status: 204, body: "", headers }));
    const found = endpoints.find(request);
    if (found === undefined) {
      const { pathname } = new URL(request.url);
      const wire = WIRES.find(({ prefixes = [] }) => prefixes.some((prefix) => isUnder(pathname, prefix)));
      return failing(noSuchPath)({ request, server, wire, params: {} });
    }
    const { wire, handle } = found.endpoint;
    if ("params" in found) return handle({ request, server, wire, params: found.params });
    const { allowed } = found;
    const message = `This path answers ${allowed.join(" and ")} only.`;
    const error = new GatewayError("wrong_method", message, { allowed: allowed.join(", ") });
    return failing(error)({ request, server, wire, params: {} });
  }

  /** Made at the first request for it, so that gateways start faster. */
  let documented: Promise<{ handle(request: Request): Response | Promise<Response> }> | undefined;
  function showDocs(visit: Visit): Promise<Response> {
    return respond(visit, async ({ request }) => {
      auth.admitWithoutKey(request);
      documented ??= import("./docs/swagger").then(({ docs }) =>
        docs(() => parts.policies(), parts.fileSchema),
      );
      const { pathname, search } = new URL(request.url);
      const page = await (await documented).handle(new Request(`http://localhost${pathname}${search}`));
      if (page.status === 404) throw noSuchPath;
      return { body: new Uint8Array(await page.arrayBuffer()), headers: page.headers.toJSON() };
    });
  }
  function showDashboard(visit: Visit): Promise<Response> {
    return respond(visit, async () => {
      const answer = await dashboardFor(visit, auth);
      if (answer === undefined) throw noSuchPath;
      return answer;
    });
  }

  // The members are named, as Elysia copies every answer through a stream if a handler passes on the whole context.
  const visit = ({ request, server }: Pick<Visit, "request" | "server">) => visited(request, server);
  return new Elysia({ normalize: false, handler: { standardHostname: parts.isTls } })
    .onError(({ error, code, request, server }) => {
      // Bun builds the URL from the header `Host`, which may be invalid.
      if (!URL.canParse(request.url)) return failing(noAddress)({ request, server, params: {} });
      // With a short host Elysia may find no path in the URL (findings/elysia-short-host.sh): the URL is parsed again.
      if (code === "NOT_FOUND") return visited(request, server);
      return failing(asGatewayError(error))({ request, server, params: {} });
    })
    .all("/", visit, { parse: "none" })
    .all("/*", visit, { parse: "none" });

  function ready({ request }: Visit): Answer {
    auth.admitWithoutKey(request);
    parts.checkReady();
    return plain(readiness(routes(), parts.batches()));
  }
}

/** The owner of bodies of requests without a key; no workspace has this name. */
const NOBODY = "";

const UNKNOWN_PATH =
  "Unknown path: for clients of OpenAI's API the base URL ends in /v1. /swagger lists all paths.";

const BAD_HOST = "The header 'Host' is not a host name with an optional port.";
const noAddress = new GatewayError("invalid", BAD_HOST, { field: "Host" });

const clientGone = () => new GatewayError("cancelled", "The client closed the connection.");

const plain = (value: unknown): Answer => ({ body: JSON.stringify(value), headers: {} });

const isUnder = (path: string, prefix: string) => path === prefix || path.startsWith(`${prefix}/`);
