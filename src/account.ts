/**
 * What the ledger is told of a request, before its first call and at its end. The columns are src/ledger.ts's.
 * A new column is filled in here, from what the spine knows by then.
 */
import type { Caller, EmbedRequest, Result, Route, Run } from "./domain";
import { asGatewayError, type GatewayError } from "./errors";
import { type Ledger, type LedgerRow, picoUsdPerToken, UNDER_WAY } from "./ledger";
import type { Outside } from "./outside";
import type { Input } from "./plugin";
import { estimatedTokens } from "./tokens/count";

/** What is known so far, whenever it ends. */
export interface Progress {
  readonly caller: Caller;
  readonly run: Run;
  request?: EmbedRequest;
  route?: Route;
  result?: Result;
}

/** Before the first call: should a crash come, the row says that at most this was sent. */
export function rowUnderWay(progress: Progress, inputs: readonly Input[]): LedgerRow {
  return {
    ...known(progress),
    cache_hits: 0,
    tokens: 0,
    tokens_upstream: progress.run.tally.tokens + estimatedTokens(inputs),
    tokens_billed: 0,
    tokens_source: null,
    status: UNDER_WAY,
    error: null,
    latency_ms: 0,
    cost_pico_usd: 0n,
  };
}

/** @param hitPrice share of the price that a cache hit costs */
export function rowAnswered(
  progress: Progress,
  result: Result,
  hitPrice: number,
  latencyMs: number,
): LedgerRow {
  const billed = result.tokens - result.tokensOfHits + shareOf(result.tokensOfHits, hitPrice);
  return {
    ...known(progress),
    cache_hits: result.cacheHits,
    tokens: result.tokens,
    tokens_upstream: progress.run.tally.tokens,
    tokens_billed: billed,
    tokens_source: result.tokensSource,
    status: 200,
    error: null,
    latency_ms: Math.round(latencyMs),
    cost_pico_usd: BigInt(billed) * picoUsdPerToken(progress.route?.facts.price ?? 0),
  };
}

function rowFailed(progress: Progress, error: GatewayError, latencyMs: number): LedgerRow {
  return {
    ...known(progress),
    cache_hits: 0,
    tokens: 0,
    tokens_upstream: progress.run.tally.tokens,
    tokens_billed: 0,
    tokens_source: null,
    status: error.meaning.status,
    error: error.meaning.code ?? error.kind,
    latency_ms: Math.round(latencyMs),
    cost_pico_usd: 0n,
  };
}

/**
 * A failure's row is as good as an answer's; where the database cannot take it, it is written once it is back.
 * @returns what the request is answered: the failure, or that the database is gone
 */
export async function settleFailure(
  progress: Progress,
  failure: GatewayError,
  latencyMs: () => number,
  { ledger, outside }: { readonly ledger: Ledger; readonly outside: Pick<Outside, "log"> },
): Promise<GatewayError> {
  let error = failure;
  if (error.kind !== "database_unavailable") {
    try {
      await ledger.settle(rowFailed(progress, error, latencyMs()));
      return error;
    } catch (thrown) {
      error = asGatewayError(thrown);
    }
  }
  const row = rowFailed(progress, error, latencyMs());
  if (!ledger.owe(row))
    outside.log("error", "a ledger row is lost: the database has been gone for too long", { ...row });
  return error;
}

/** Rounded up to a whole token; its digits are read as they are written, since 0.1 × 30 is more than 3 in floating point. */
function shareOf(tokens: number, share: number): number {
  const [digits = "0", exponent = "0"] = String(share).split("e");
  const [whole = "0", fraction = ""] = digits.split(".");
  const divisor = 10n ** BigInt(fraction.length - Number(exponent));
  return Number((BigInt(tokens) * BigInt(whole + fraction) + divisor - 1n) / divisor);
}

/** What a row says of the request itself, however it ends. */
function known({ caller, run, request, route, result }: Progress) {
  const { providers } = run.tally;
  // Those who answered; where none did, the one that would have been asked; none where none was needed.
  const planned = result === undefined ? route?.targets[0].provider.name : undefined;
  return {
    request_id: run.requestId,
    started_at: run.startedAt,
    workspace: caller.workspace,
    key_id: caller.keyId,
    model: request?.model ?? "",
    provider: providers.size > 0 ? [...providers].join(", ") : (planned ?? null),
    inputs: request?.inputs.length ?? 0,
    user: request?.user ?? null,
    metadata: request?.metadata ? JSON.stringify(request.metadata) : null,
  };
}
