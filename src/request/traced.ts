/**
 * What a request's trace gets at its end: numbers and names that its ledger row has, never a text.
 */
import type { LedgerRow } from "../books/ledger-row";
import { wordingOf } from "../dialects/wording";
import type { GatewayError } from "../domain/errors";
import type { EmbedRequest, Result } from "../domain/request";
import type { RequestEnd } from "../domain/trace";
import type { Progress } from "./account";

export function traced(row: LedgerRow, { encoding }: EmbedRequest, { vectors }: Result): RequestEnd {
  return {
    status: row.status,
    error: null,
    model: row.model,
    workspace: row.workspace,
    inputs: row.inputs,
    cacheHits: row.cache_hits,
    tokens: row.tokens,
    dimensions: vectors[0]?.length,
    encoding,
  };
}

export function tracedFailure({ caller, request, policies }: Progress, error: GatewayError): RequestEnd {
  const { status, code } = policies ? wordingOf(error, policies) : error.meaning;
  return {
    status,
    error: code ?? error.kind,
    model: request?.model ?? "",
    workspace: caller.workspace,
    inputs: request?.inputs.length ?? 0,
    cacheHits: 0,
    tokens: 0,
    encoding: request?.encoding,
  };
}
