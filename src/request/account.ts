/**
 * What the ledger records of a request, before its first call and at its end. src/books/ledger-row.ts has the columns.
 * A new column is filled in here, from what the request's steps know by then.
 */
import { writtenCalls } from "../books/calls";
import type { Amount, Estimate } from "../books/fitting";
import { type Ledger, UNDER_WAY } from "../books/ledger";
import type { LedgerRow } from "../books/ledger-row";
import {
  ceilOf,
  type Exchange,
  FEMTO_CREDITS_PER_MICRO_CREDIT,
  fractionOf,
  microCreditsPerToken,
  picoUsdPerToken,
} from "../books/money";
import { wordingOf } from "../dialects/wording";
import { asGatewayError, type GatewayError, isDatabaseGone } from "../domain/errors";
import type { Outside } from "../domain/outside";
import type { Policies } from "../domain/policies";
import type { Caller, EmbedRequest, Result, Route, Run } from "../domain/request";
import type { Input } from "../plugin";
import { estimatedTokens } from "../tokens/count";

/** What is known of the request so far, whenever it ends. */
export interface Progress {
  readonly caller: Caller;
  readonly run: Run;
  /** The policies of the wire by which the request came. */
  policies?: Policies;
  request?: EmbedRequest;
  route?: Route;
  result?: Result;
}

/** What a token costs on a route, and what share of that a cache hit costs. */
export interface Prices {
  readonly exchange: Exchange;
  /** The share of the price that a cache hit costs. */
  readonly hitPrice: number;
  /** Whether credits pay for calls that were sent and then abandoned. Spending caps count such calls either way. */
  readonly abandoned: "charge" | "waive";
}

/** Inputs that a provider will be asked for, and inputs that are likely to be cache hits. */
export interface Expected {
  readonly fresh: readonly Input[];
  readonly hits: readonly Input[];
}

/** Lower and upper bound: a token is at least one byte of text, and hardly ever more than eight. */
export function estimateOf({ fresh, hits }: Expected, route: Route, prices: Prices): Estimate {
  const most = sumOf(fresh, mostTokens) + shareOf(sumOf(hits, mostTokens), prices.hitPrice);
  const least = sumOf(fresh, leastTokens) + shareOf(sumOf(hits, leastTokens), prices.hitPrice);
  return { least: amountOf(least, route, prices), most: amountOf(most, route, prices) };
}

export function amountOf(tokens: number, route: Route | undefined, { exchange }: Prices): Amount {
  const price = route?.facts.price ?? 0;
  const known = amountsBy.getOrInsertComputed(exchange, noAmounts).getOrInsertComputed(price, noAmount);
  const before = known.get(tokens);
  if (before) return before;
  const rate = microCreditsPerToken(price, exchange);
  const amount = {
    femtoCredits: ceilOf(BigInt(tokens) * FEMTO_CREDITS_PER_MICRO_CREDIT, rate),
    picoUsd: BigInt(tokens) * picoUsdPerToken(price),
  };
  if (known.size >= AMOUNTS_MAX) known.clear();
  known.set(tokens, amount);
  return amount;
}

/** By price and tokens: short texts have the same few numbers of tokens, and an amount is eight numbers to compute. */
const amountsBy = new WeakMap<Exchange, Map<number, Map<number, Amount>>>();
const AMOUNTS_MAX = 1_000;
const noAmounts = () => new Map<number, Map<number, Amount>>();
const noAmount = () => new Map<number, Amount>();

/** Upper bound of the inputs' tokens, including the bytes of a prompt before each input. */
export function mostOf(inputs: readonly Input[], promptBytes: number, route: Route, prices: Prices): Amount {
  return amountOf(sumOf(inputs, mostTokens) + inputs.length * promptBytes, route, prices);
}

/** Marks that a model puts around each text, such as [CLS] and [SEP]. */
const TOKENS_AROUND = 8;

function mostTokens(input: Input): number {
  if (input.length === 0) return 0;
  return (typeof input === "string" ? Buffer.byteLength(input) : input.length) + TOKENS_AROUND;
}

function leastTokens(input: Input): number {
  if (typeof input !== "string") return input.length;
  return input === "" ? 0 : Math.max(1, Math.floor(Buffer.byteLength(input) / 8));
}

function sumOf(inputs: readonly Input[], of: (input: Input) => number): number {
  let sum = 0;
  for (const input of inputs) sum += of(input);
  return sum;
}

/** The row before the first call. After a crash it states the most that can have been sent. */
export function rowUnderWay(progress: Progress, inputs: readonly Input[]): LedgerRow {
  const upstream = upstreamUnderWay(progress, estimatedTokens(inputs));
  return rowOf(progress, { status: UNDER_WAY, tokensSource: null, latencyMs: 0 }, upstream, NO_COST);
}

type Cost = Pick<LedgerRow, "tokens_billed" | "cost_pico_usd" | "cost_femto_credits">;

const NO_COST: Cost = { tokens_billed: 0, cost_pico_usd: 0n, cost_femto_credits: 0n };

/**
 * A row's money. The caller also pays for abandoned calls, since the provider may charge for them.
 * @param prices undefined: nobody pays
 */
function costOf(tokens: number, { run, route }: Progress, prices: Prices | undefined): Cost {
  if (prices === undefined) return NO_COST;
  const { tokensAbandoned: tokens_abandoned } = run.tally;
  const tokens_billed = tokens + (prices.abandoned === "charge" ? tokens_abandoned : 0);
  return {
    tokens_billed,
    cost_pico_usd: amountOf(tokens + tokens_abandoned, route, prices).picoUsd,
    cost_femto_credits: amountOf(tokens_billed, route, prices).femtoCredits,
  };
}

/** The tokens of an answer that are charged for. */
function billedTokens({ tokens, tokensOfHits, tokensOfEmpty }: Result, { hitPrice }: Prices): number {
  return tokens - tokensOfEmpty - tokensOfHits + shareOf(tokensOfHits, hitPrice);
}

/** @param prices undefined: nobody pays */
export function rowAnswered(
  progress: Progress,
  result: Result,
  prices: Prices | undefined,
  latencyMs: number,
): LedgerRow {
  const ended = { status: 200, tokensSource: result.tokensSource, latencyMs, result };
  const cost = costOf(prices ? billedTokens(result, prices) : 0, progress, prices);
  return rowOf(progress, ended, upstreamOf(progress), cost);
}

function rowFailed(
  progress: Progress,
  error: GatewayError,
  latencyMs: number,
  prices: Prices | undefined,
): LedgerRow {
  const { status, code } = progress.policies ? wordingOf(error, progress.policies) : error.meaning;
  const tokensSource = progress.run.tally.tokensAbandoned > 0 ? "estimated" : null;
  const ended = { status, tokensSource, latencyMs, failure: { error, code: code ?? error.kind } } as const;
  return rowOf(progress, ended, upstreamOf(progress), costOf(0, progress, prices));
}

/**
 * Writes the row of a failed request. If the database cannot take it, it is written later, when the database is back.
 * @returns the error for the caller: the failure itself, or that the database is unavailable
 */
export async function settleFailure(
  progress: Progress,
  failure: GatewayError,
  latencyMs: () => number,
  {
    ledger,
    outside,
    prices,
  }: { readonly ledger: Ledger; readonly outside: Pick<Outside, "log">; readonly prices?: Prices },
): Promise<GatewayError> {
  let error = failure;
  if (!isDatabaseGone(error.kind)) {
    try {
      await ledger.settle(rowFailed(progress, error, latencyMs(), prices), progress.run.endsAt);
      return error;
    } catch (thrown) {
      error = asGatewayError(thrown);
    }
  }
  const row = rowFailed(progress, error, latencyMs(), prices);
  if (!ledger.owe(row)) {
    const { user: _, metadata: __, ...about } = row;
    outside.log("error", "ledger row lost: the database was unavailable for too long", about);
  }
  return error;
}

/** Rounded up to a whole number of tokens. */
function shareOf(tokens: number, share: number): number {
  if (tokens === 0 || share === 0) return 0;
  return Number(ceilOf(BigInt(tokens), fractionOf(share)));
}

type Upstream = Required<Pick<LedgerRow, "tokens_upstream" | "upstream_pico_usd" | "by_provider">>;

/** Tokens and cost so far by provider, if more than one took part. */
function upstreamOf({ run: { tally } }: Pick<Progress, "run">): Upstream {
  const { tokens, providers, byProvider } = tally;
  if (byProvider.size === 0) return { tokens_upstream: tokens, upstream_pico_usd: 0n, by_provider: null };
  // The usual case: one provider counted all, and it answered.
  const [answering = ""] = providers;
  const alone = byProvider.size === 1 && providers.size === 1 ? byProvider.get(answering) : undefined;
  if (alone) return { tokens_upstream: tokens, upstream_pico_usd: alone.picoUsd, by_provider: null };
  const all = [...byProvider];
  const picoUsd = all.reduce((sum, [, one]) => sum + one.picoUsd, 0n);
  const [only] = providers;
  const isOnly = providers.size === 1 && all.every(([name]) => name === only);
  if (isOnly) return { tokens_upstream: tokens, upstream_pico_usd: picoUsd, by_provider: null };
  // By hand: JSON.stringify does not support bigint. The provider that answered comes first: the request counts as its own.
  const shares = all
    .sort(([a], [b]) => Number(providers.has(b)) - Number(providers.has(a)))
    .map(([name, one]) => `[${JSON.stringify(name)},${one.tokens},${one.picoUsd}]`);
  return { tokens_upstream: tokens, upstream_pico_usd: picoUsd, by_provider: `[${shares.join(",")}]` };
}

/** Assumes that the first target will do all remaining work. */
function upstreamUnderWay({ run, route }: Progress, tokens: number): Upstream {
  const { tokens_upstream, upstream_pico_usd } = upstreamOf({ run });
  const price = picoUsdPerToken(route?.targets[0].costPrice ?? 0);
  return {
    tokens_upstream: tokens_upstream + tokens,
    upstream_pico_usd: upstream_pico_usd + BigInt(tokens) * price,
    by_provider: null,
  };
}

/** How a request ended, or that it is under way. */
interface Ended {
  readonly status: number;
  readonly tokensSource: LedgerRow["tokens_source"];
  readonly latencyMs: number;
  readonly result?: Result;
  readonly failure?: { readonly error: GatewayError; readonly code: string };
}

/** Every member by itself: put together from several objects, a row takes several times as long. */
function rowOf(
  { caller, run, request, route, result: known }: Progress,
  { status, tokensSource, latencyMs, result, failure }: Ended,
  upstream: Upstream,
  cost: Cost,
): LedgerRow {
  const { providers, calls, tokensAbandoned } = run.tally;
  // The providers that answered; otherwise the one that failed last or would have been called; none if none was needed.
  const planned =
    known === undefined ? (failure?.error.provider ?? route?.targets[0].provider.name) : undefined;
  return {
    request_id: run.requestId,
    started_at: run.startedAt,
    workspace: caller.workspace,
    key_id: caller.keyId,
    model: request?.model ?? "",
    provider: providers.size > 0 ? [...providers].join(", ") : (planned ?? null),
    inputs: request?.inputs.length ?? 0,
    cache_hits: result?.cacheHits ?? 0,
    tokens: result?.tokens ?? 0,
    tokens_upstream: upstream.tokens_upstream,
    tokens_abandoned: tokensAbandoned,
    tokens_cached: result?.tokensOfHits ?? 0,
    tokens_billed: cost.tokens_billed,
    tokens_source: tokensSource,
    status,
    error: failure?.code ?? null,
    kind: failure?.error.kind ?? null,
    upstream_status: failure?.error.upstreamStatus ?? null,
    latency_ms: Math.round(latencyMs),
    cost_pico_usd: cost.cost_pico_usd,
    cost_femto_credits: cost.cost_femto_credits,
    upstream_pico_usd: upstream.upstream_pico_usd,
    saved_pico_usd: result?.tokensOfHits
      ? BigInt(result.tokensOfHits) * picoUsdPerToken(route?.targets[0].costPrice ?? 0)
      : 0n,
    calls_made: calls.length,
    calls: writtenCalls(calls),
    by_provider: upstream.by_provider,
    user: request?.user ?? null,
    metadata: request?.metadata ? JSON.stringify(request.metadata) : null,
    batch: run.batch ?? null,
  };
}
