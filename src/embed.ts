/**
 * The spine: the only file that knows the order of the steps. Each step has a file of its own, named as it is here:
 * decode → route → admit → recall ( → plan → begin → execute → collect ) → result → settle → encode.
 */
import { estimateOf, type Prices, type Progress, rowAnswered, rowUnderWay, settleFailure } from "./account";
import { admit } from "./admission";
import type { Cache } from "./cache/cache";
import { cacheKeys, keyedBy } from "./cache/key";
import { collect } from "./collect";
import { namesInHeader } from "./dialects/fields";
import type { Policies } from "./dialects/policies";
import type { Decoded, Wire } from "./dialects/wire";
import type { Caller, EmbedRequest, Plan, Route, Run } from "./domain";
import { asGatewayError, GatewayError } from "./errors";
import { execute } from "./execute/execute";
import type { Needs } from "./execute/work";
import { boundTo, type ForcedProvider, refuseUnknownProvider } from "./forced-provider";
import { forwardUnknown } from "./forwarding";
import { hold } from "./hold";
import { type Ledger, type LedgerRow, UNDER_WAY } from "./ledger";
import type { Outside } from "./outside";
import { permit } from "./permission";
import { isIndivisible, plan } from "./plan";
import type { RateLimits } from "./rate-limits";
import { type CacheUse, type EmbedNow, recall } from "./recall";
import { answerHeaders, resultOf } from "./result";
import type { Routes } from "./route";
import type { Settlements } from "./settlements";
import type { Spaces } from "./spaces/spaces";
import { withTask } from "./tasks";
import { estimatedTokens } from "./tokens/count";
import type { Tokens } from "./tokens/tokens";
import type { WorkspaceRules, Workspaces } from "./workspaces";

export interface Arrival {
  readonly requestId: string;
  readonly caller: Caller;
  /** @throws GatewayError database_unavailable */
  readonly speech: () => Speech;
  /** How bodies of the path that it came by are written. */
  readonly wire: Pick<Wire, "decode">;
  readonly path: string;
  /** Reads and parses the body. @throws GatewayError */
  readonly body: () => Promise<unknown>;
  readonly cacheUse: CacheUse;
  /** The space that the caller's other vectors lie in (`X-Embedgate-Space`). */
  readonly pinnedSpace: string | undefined;
  /** Fires when the client closes its connection. */
  readonly clientGone: AbortSignal;
}

/** How the caller's workspace speaks, and what this request insists on. */
export interface Speech {
  readonly policies: Policies;
  readonly forced: ForcedProvider | undefined;
}

export interface Answer {
  readonly body: string;
  readonly headers: Readonly<Record<string, string>>;
}

export interface SpineParts {
  readonly routes: Routes;
  readonly spaces: Spaces;
  readonly tokens: Tokens;
  readonly cache: Cache;
  /** undefined: nothing is kept. */
  readonly caching: { readonly isShared: boolean } | undefined;
  readonly workspaces: Pick<Workspaces, "rules">;
  readonly rateLimits: RateLimits;
  readonly prices: Prices;
  readonly ledger: Ledger;
  readonly settlements: Settlements;
  readonly outside: Outside & Pick<Needs, "observe">;
  readonly deadlineMs: number;
  readonly attemptsMax: number;
}

/**
 * Answers one embeddings request. Its ledger row is committed before this returns or throws.
 * @throws GatewayError of any kind
 */
export async function embed(arrival: Arrival, parts: SpineParts): Promise<Answer> {
  const { outside, routes, spaces, cache, caching, ledger, prices, rateLimits } = parts;
  const { run, finish } = startRun(arrival, parts);
  const progress: Progress = { caller: arrival.caller, run };
  const latencyMs = () => outside.monotonic() - run.startedMonotonic;
  let decoded: Decoded | undefined;
  try {
    const { policies, forced } = arrival.speech();
    progress.policies = policies;
    decoded = arrival.wire.decode(await arrival.body(), policies, arrival.path);
    progress.request = decoded.request;
    const said = withTask(decoded.request);
    refuseUnknownProvider(forced, routes);
    const found = routes.resolve(said.model);
    const request = policies.unknown_fields === "forward" ? forwardUnknown(said, found) : said;
    const rules = parts.workspaces.rules(arrival.caller.workspace);
    permit(rules, [request.model, found.id]);
    const bound = boundTo(forced, found);
    progress.route = bound;
    const route = admit(request, bound, policies.unused_hints === "reject");
    const count = rateLimits.take(rules, estimatedTokens(request.inputs));
    refuseOtherSpace(arrival.pinnedSpace, route.space, request.dimensions ?? route.facts.dimensions);
    await spaces.ready(found, run.signal);
    const planned: Plan[] = [];
    const together = isIndivisible(request, route);
    const cacheUse = together ? NOT_CACHED : arrival.cacheUse;
    const recalled = await recall(
      together ? ownKeys(request, outside) : keysFor(request, route, forced, arrival.caller, parts),
      cacheUse,
      cache,
      run.signal,
      embedNow(request, route, rules, progress, planned, parts),
    );
    const result = resultOf(recalled, request);
    progress.result = result;
    refuseOtherSpace(arrival.pinnedSpace, route.space, result.vectors[0]?.length);
    count(result.tokens);
    const row = rowAnswered(progress, result, prices, latencyMs());
    // Hits alone: nothing was held for them yet.
    if (planned.length === 0 && row.micro_credits > 0n) await holdExactly(row, rules, parts, run.signal);
    const charge = await ledger.settle(row);
    const cacheNote = caching ? noteOf(cacheUse, result.cacheHits, request.inputs.length) : undefined;
    const headers = answerHeaders(route, request, result, run.tally.providers, cacheNote);
    spaces.answered(found);
    const credits = { used: charge.microCredits, remaining: charge.remaining };
    return {
      body: decoded.encode({ ...result, credits }),
      headers: { ...headers, ...ignoredHeader(decoded.ignored, headers), ...rateLimits.headers(rules) },
    };
  } catch (thrown) {
    const error = named(asGatewayError(thrown), decoded);
    if (error.kind === "internal") logFault(error, arrival, outside);
    throw await settleFailure(progress, error, latencyMs, parts);
  } finally {
    finish();
  }
}

/** The way of those inputs that a provider must be asked for. */
function embedNow(
  request: EmbedRequest,
  route: Route,
  rules: WorkspaceRules,
  progress: Progress,
  plans: Plan[],
  { tokens, ledger, settlements, prices, outside }: SpineParts,
): EmbedNow {
  return async (places, take) => {
    refuseOutOfService(route);
    const planned = await plan(request, places, route, tokens, progress.run.signal);
    plans.push(planned);
    const fresh = planned.pieces.map(({ input }) => input);
    const asked = new Set(places);
    const hits = request.inputs.filter((_, place) => !asked.has(place));
    const estimate = estimateOf({ fresh, hits }, route, prices);
    await hold(
      rowUnderWay(progress, fresh),
      { estimate, terms: rules.terms },
      ledger,
      settlements,
      progress.run.signal,
    );
    const collection = collect(planned);
    await execute(request, route, planned, progress.run, outside, (answered) =>
      take(collection.add(answered)),
    );
    collection.assertComplete();
  };
}

function holdExactly(
  row: LedgerRow,
  { terms }: WorkspaceRules,
  { ledger, settlements }: SpineParts,
  signal: AbortSignal,
): Promise<void> {
  const amount = { microCredits: row.micro_credits, picoUsd: row.cost_pico_usd };
  const estimate = { least: amount, most: amount };
  return hold({ ...row, status: UNDER_WAY }, { estimate, terms }, ledger, settlements, signal);
}

function refuseOutOfService(route: Route): void {
  if (route.targets.some(({ mayServe }) => mayServe())) return;
  throw new GatewayError(
    "space_out_of_service",
    `The model '${route.id}' is out of service: its provider's vectors are no more those of its space. The gateway's operator knows.`,
  );
}

const NOT_CACHED: CacheUse = { find: false, keep: false };

/** Inputs that are embedded in view of one another are equal to nothing, not even to each other. */
function ownKeys({ inputs }: EmbedRequest, outside: Outside): readonly string[] {
  return inputs.map(() => outside.randomBytes(32).toHex());
}

function keysFor(
  request: EmbedRequest,
  route: Route,
  forced: ForcedProvider | undefined,
  { workspace }: Caller,
  { caching, spaces }: SpineParts,
): readonly string[] {
  const scope = caching?.isShared ? null : workspace;
  // Vectors that were kept before a space was measured anew are of another one.
  const measured = `${route.space}#${spaces.revision(route.space)}`;
  // Who insists on a provider wants its vectors; and what fails there is no failure for those who may be served elsewhere.
  const space = forced === undefined ? measured : `${measured}@${forced.name}`;
  return cacheKeys(keyedBy(request, { ...route, space }, scope), request.inputs);
}

/** @param pinned a space's name, or name@dimensions as `x-embedding-space` has it */
function refuseOtherSpace(pinned: string | undefined, space: string, dimensions: number | undefined): void {
  if (pinned === undefined || pinned === space || pinned === `${space}@${dimensions}`) return;
  // Of a size that only the answer will tell, the name must do until then.
  if (dimensions === undefined && pinned.startsWith(`${space}@`)) return;
  const actual = dimensions === undefined ? space : `${space}@${dimensions}`;
  throw new GatewayError(
    "space_mismatch",
    `The vectors would lie in the space '${actual}', not in '${pinned.slice(0, 300)}' as X-Embedgate-Space asks. They could not be compared with those.`,
    { field: "X-Embedgate-Space" },
  );
}

/** What the wire leaves without effect, beside what the provider does. */
function ignoredHeader(
  ignored: readonly string[],
  headers: Readonly<Record<string, string>>,
): Record<string, string> {
  if (ignored.length === 0) return {};
  const before = headers["x-embedgate-ignored"];
  const names = namesInHeader(ignored);
  return { "x-embedgate-ignored": before === undefined ? names : `${names}, ${before}` };
}

function noteOf({ find }: CacheUse, hits: number, inputs: number): string {
  return find ? `hit=${hits}, miss=${inputs - hits}` : "bypass";
}

/** Gone by itself, or cut off by the gateway's own end, which says so. */
function reasonOf({ reason }: AbortSignal): GatewayError {
  if (reason instanceof GatewayError) return reason;
  return new GatewayError("cancelled", "The client closed the connection.");
}

function startRun(
  arrival: Arrival,
  { outside, deadlineMs, attemptsMax }: SpineParts,
): { run: Run; finish: () => void } {
  const over = new AbortController();
  const timer = new AbortController();
  outside.sleep(deadlineMs, timer.signal).then(
    () => over.abort(new GatewayError("deadline", `The request was not done within ${deadlineMs} ms.`)),
    () => undefined,
  );
  const gone = () => over.abort(reasonOf(arrival.clientGone));
  if (arrival.clientGone.aborted) gone();
  else arrival.clientGone.addEventListener("abort", gone, { once: true });
  return {
    run: {
      requestId: arrival.requestId,
      startedAt: outside.now(),
      startedMonotonic: outside.monotonic(),
      signal: over.signal,
      attemptsMax,
      tally: { tokens: 0, providers: new Set() },
    },
    finish() {
      timer.abort();
      arrival.clientGone.removeEventListener("abort", gone);
    },
  };
}

/** An error about one input speaks of it as the caller wrote it: `input`, or `input[17]`. */
function named(error: GatewayError, decoded: Decoded | undefined): GatewayError {
  if (!decoded) return error;
  const empty = emptyAtFault(error, decoded.request);
  if (empty !== undefined) return refusedEmpty(error, empty, decoded);
  const own = error.field === undefined ? undefined : decoded.fieldNames?.[error.field];
  if (own !== undefined)
    return new GatewayError(error.kind, error.message, { ...error, cause: error.cause, field: own });
  if (error.input === undefined || error.field !== undefined) return error;
  const field = inputField(error.input, decoded);
  const { kind, message, input, retryAfterMs, cause } = error;
  return new GatewayError(kind, `${field}: ${message}`, { field, input, retryAfterMs, cause });
}

function inputField(place: number, { request, inputName }: Decoded): string {
  if (inputName) return inputName(place);
  return request.inputs.length > 1 ? `input[${place}]` : "input";
}

/** Only a provider refuses as wrong what was admitted; one that names no other input means the empty string, as far as anybody can tell. */
function emptyAtFault({ kind, input, field }: GatewayError, { inputs }: EmbedRequest) {
  if (kind !== "invalid" || field !== undefined) return undefined;
  const place = input ?? inputs.indexOf("");
  return inputs[place] === "" ? place : undefined;
}

function refusedEmpty(error: GatewayError, place: number, decoded: Decoded): GatewayError {
  const field = inputField(place, decoded);
  return new GatewayError(
    "empty_input_refused",
    `The provider refused the request, whose '${field}' is an empty string. Its words: ${error.message}`,
    { field, input: place, cause: error.cause },
  );
}

function logFault(error: GatewayError, arrival: Arrival, outside: Outside): void {
  const cause =
    error.cause instanceof Error
      ? (error.cause.stack ?? error.cause.message)
      : String(error.cause ?? error.message);
  outside.log("error", "a request ended in a fault of the gateway", { request: arrival.requestId, cause });
}
