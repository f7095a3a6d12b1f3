/**
 * The calls to providers that were made for a request, as in the ledger's column `calls`: JSON, one list per call, without member names.
 * A new value is appended to the list.
 */
import { Type } from "@sinclair/typebox";
import { Value } from "@sinclair/typebox/value";
import type { CallMade } from "../domain/request";

export interface CallOfRequest {
  readonly provider: string;
  /** The model's name at the provider. */
  readonly model: string;
  readonly inputs: number;
  /** "ok", or the kind of error. */
  readonly outcome: string;
  /** Milliseconds after the request's arrival. */
  readonly began_ms: number;
  readonly latency_ms: number;
  readonly tokens: number | null;
  readonly tokens_source: string | null;
}

/** A large batch makes hundreds of calls: this many are enough to see what they were like. */
const KEPT_MAX = 50;

/** @returns null if there was no call */
export function writtenCalls(calls: readonly CallMade[]): string | null {
  if (calls.length === 0) return null;
  return JSON.stringify(
    calls
      .slice(0, KEPT_MAX)
      .map((call) => [
        call.provider,
        call.model,
        call.inputs,
        call.outcome,
        Math.round(call.beganMs),
        Math.round(call.latencyMs),
        call.tokens ?? null,
        call.tokensSource ?? null,
      ]),
  );
}

const Written = Type.Array(
  Type.Tuple([
    Type.String(),
    Type.String(),
    Type.Number(),
    Type.String(),
    Type.Number(),
    Type.Number(),
    Type.Union([Type.Number(), Type.Null()]),
    Type.Union([Type.String(), Type.Null()]),
  ]),
);

export function readCalls(written: string | null): CallOfRequest[] {
  if (written === null) return [];
  return Value.Parse(Written, JSON.parse(written)).map(
    ([provider, model, inputs, outcome, began_ms, latency_ms, tokens, tokens_source]) => ({
      provider,
      model,
      inputs,
      outcome,
      began_ms,
      latency_ms,
      tokens,
      tokens_source,
    }),
  );
}
