/**
 * The spine: the only file that knows the order of the steps. Each step has a file of its own, named as it is here:
 * decode → route → admit → plan → begin → execute → assemble → settle → encode.
 */
import { admit } from "./admission";
import { assemble } from "./assemble";
import { decodeRequest, encodeResult } from "./dialects/openai";
import type { Caller, EmbedRequest, Plan, Result, Route, Run } from "./domain";
import { asGatewayError, GatewayError } from "./errors";
import { execute } from "./execute";
import { type Ledger, type LedgerRow, picoUsdPerToken, UNDER_WAY } from "./ledger";
import type { Outside } from "./outside";
import { plan } from "./plan";
import type { Routes } from "./route";
import { estimatedTokens } from "./tokens/count";
import type { Tokens } from "./tokens/tokens";

export interface Arrival {
  readonly requestId: string;
  readonly caller: Caller;
  /** Reads and parses the body. @throws GatewayError */
  readonly body: () => Promise<unknown>;
  /** Fires when the client closes its connection. */
  readonly clientGone: AbortSignal;
}

export interface Answer {
  readonly body: string;
  readonly headers: Readonly<Record<string, string>>;
}

export interface SpineParts {
  readonly routes: Routes;
  readonly tokens: Tokens;
  readonly ledger: Ledger;
  readonly outside: Outside;
  readonly deadlineMs: number;
}

/** What is known so far, for the ledger, whenever it ends. */
interface Progress {
  request?: EmbedRequest;
  route?: Route;
  plan?: Plan;
  result?: Result;
}

/**
 * Answers one embeddings request. Its ledger row is committed before this returns or throws.
 * @throws GatewayError of any kind
 */
export async function embed(arrival: Arrival, parts: SpineParts): Promise<Answer> {
  const { outside, routes, tokens, ledger, deadlineMs } = parts;
  const progress: Progress = {};
  const { run, finish } = startRun(arrival, deadlineMs, outside);
  try {
    const request = decodeRequest(await arrival.body());
    progress.request = request;
    const route = routes.resolve(request.model);
    progress.route = route;
    admit(request, route);
    const planned = await plan(request, route, tokens);
    progress.plan = planned;
    await ledger.begin(rowUnderWay(arrival, run, progress));
    const answers = await execute(request, route, planned, run, outside);
    const result = assemble(answers, request.inputs.length);
    progress.result = result;
    await ledger.settle(rowOf(arrival, run, progress, undefined, outside));
    return { body: encodeResult(request, result), headers: answerHeaders(route, planned, result) };
  } catch (thrown) {
    const error = named(asGatewayError(thrown), progress.request);
    if (error.kind === "internal") logFault(error, arrival, outside);
    await settleFailure(
      rowOf(arrival, run, { ...progress, result: undefined }, error, outside),
      error,
      parts,
    );
    throw error;
  } finally {
    finish();
  }
}

/** A failure's row is as good as an answer's; where the database itself failed, the row is written once it is back. */
async function settleFailure(
  row: LedgerRow,
  error: GatewayError,
  { ledger, outside }: SpineParts,
): Promise<void> {
  if (error.kind !== "database_unavailable") await ledger.settle(row);
  else if (!ledger.owe(row))
    outside.log("error", "a ledger row is lost: the database has been gone for too long", { ...row });
}

function startRun(arrival: Arrival, deadlineMs: number, outside: Outside): { run: Run; finish: () => void } {
  const over = new AbortController();
  const timer = new AbortController();
  outside.sleep(deadlineMs, timer.signal).then(
    () => over.abort(new GatewayError("deadline", `The request was not done within ${deadlineMs} ms.`)),
    () => undefined,
  );
  const gone = () => over.abort(new GatewayError("cancelled", "The client closed the connection."));
  if (arrival.clientGone.aborted) gone();
  else arrival.clientGone.addEventListener("abort", gone, { once: true });
  return {
    run: {
      requestId: arrival.requestId,
      startedAt: outside.now(),
      startedMonotonic: outside.monotonic(),
      signal: over.signal,
      tally: { tokens: 0 },
    },
    finish() {
      timer.abort();
      arrival.clientGone.removeEventListener("abort", gone);
    },
  };
}

/** Before the first call: should a crash come, the row says that at most this was sent. */
function rowUnderWay(arrival: Arrival, run: Run, progress: Progress): LedgerRow {
  const { request, route } = progress;
  return {
    ...known(arrival, run, progress),
    tokens: 0,
    tokens_upstream: request && route ? estimatedTokens(request.inputs) : 0,
    tokens_billed: 0,
    tokens_source: null,
    status: UNDER_WAY,
    error: null,
    latency_ms: 0,
    cost_pico_usd: 0n,
  };
}

function rowOf(
  arrival: Arrival,
  run: Run,
  progress: Progress,
  error: GatewayError | undefined,
  outside: Outside,
): LedgerRow {
  const { result } = progress;
  const tokens = result?.tokens ?? 0;
  return {
    ...known(arrival, run, progress),
    tokens,
    tokens_upstream: run.tally.tokens,
    tokens_billed: tokens,
    tokens_source: result?.tokensSource ?? null,
    status: error?.meaning.status ?? 200,
    error: error ? (error.meaning.code ?? error.kind) : null,
    latency_ms: Math.round(outside.monotonic() - run.startedMonotonic),
    cost_pico_usd: BigInt(tokens) * picoUsdPerToken(progress.route?.facts.price ?? 0),
  };
}

/** What a row says of the request itself, however it ends. */
function known(arrival: Arrival, run: Run, { request, route }: Progress) {
  return {
    request_id: run.requestId,
    started_at: run.startedAt,
    workspace: arrival.caller.workspace,
    key_id: arrival.caller.keyId,
    model: request?.model ?? "",
    provider: route?.target.provider.name ?? null,
    inputs: request?.inputs.length ?? 0,
    user: request?.user ?? null,
    metadata: request?.metadata ? JSON.stringify(request.metadata) : null,
  };
}

/** An error about one input speaks of it as the caller wrote it: `input`, or `input[17]`. */
function named(error: GatewayError, request: EmbedRequest | undefined): GatewayError {
  if (error.input === undefined || error.field !== undefined) return error;
  const field = (request?.inputs.length ?? 0) > 1 ? `input[${error.input}]` : "input";
  const { kind, message, input, retryAfterMs, cause } = error;
  return new GatewayError(kind, `${field}: ${message}`, { field, input, retryAfterMs, cause });
}

function answerHeaders(route: Route, planned: Plan, result: Result): Record<string, string> {
  const headers: Record<string, string> = {
    "x-embedding-space": `${route.space}@${result.vectors[0]?.length ?? 0}`,
    "x-embedgate-provider": route.target.provider.name,
  };
  if (result.truncated.length > 0) headers["x-embedgate-truncated"] = result.truncated.join(",");
  if (result.averaged.length > 0) headers["x-embedgate-averaged"] = result.averaged.join(",");
  if (planned.decodedWith !== undefined) headers["x-embedgate-decoded"] = planned.decodedWith;
  if (result.tokensSource === "estimated") headers["x-embedgate-usage"] = "estimated";
  return headers;
}

function logFault(error: GatewayError, arrival: Arrival, outside: Outside): void {
  const cause =
    error.cause instanceof Error
      ? (error.cause.stack ?? error.cause.message)
      : String(error.cause ?? error.message);
  outside.log("error", "a request ended in a fault of the gateway", { request: arrival.requestId, cause });
}
