/**
 * Step 7: puts each input's outcome together into the request's result: its vectors in order, and its tokens.
 * headers.ts makes the answer's headers.
 */
import { GatewayError } from "../domain/errors";
import type { Embedded, EmbedRequest, Result, TokensSource } from "../domain/request";
import type { TypedVector } from "../plugin";
import type { Recalled } from "./recall";

/** @throws GatewayError internal if an input has no vector of its own: a bug of ours that must not become a wrong vector */
export function resultOf({ embedded, fresh }: Recalled, request: EmbedRequest): Result {
  const size = embedded[0]?.values.length;
  if (embedded.length !== request.inputs.length || embedded.some((one) => one.values.length !== size)) {
    throw new GatewayError("internal", "The gateway lost track of which vector belongs to which input.");
  }
  let tokens = 0;
  let tokensOfHits = 0;
  let tokensOfEmpty = 0;
  let source = STRONGEST;
  const truncated: number[] = [];
  const averaged: number[] = [];
  for (let place = 0; place < embedded.length; place++) {
    const one = embedded[place];
    if (one === undefined) continue;
    tokens += one.tokens;
    const isHit = !fresh.has(place);
    if (request.inputs[place] === "") tokensOfEmpty += one.tokens;
    else if (isHit) tokensOfHits += one.tokens;
    // The shares of a call add up to its count; a share that is reported again later is an estimate.
    source = weaker(source, isHit && one.tokensShared ? "estimated" : one.tokensSource);
    if (one.truncated) truncated.push(place);
    if (one.averaged) averaged.push(place);
  }
  return {
    vectors: embedded.map(({ values }) => values),
    typed: request.types && embedded.map(typedOf),
    tokens,
    tokensByInput: embedded.map((one) => one.tokens),
    tokensSource: embedded.length === 0 ? "estimated" : source,
    truncated,
    averaged,
    cacheHits: embedded.length - fresh.size,
    tokensOfHits,
    tokensOfEmpty,
  };
}

/** The memory that its vectors use. */
export function bytesOf({ vectors, typed = [] }: Pick<Result, "vectors" | "typed">): number {
  let bytes = 0;
  for (const { byteLength } of vectors) bytes += byteLength;
  for (const types of typed) for (const { byteLength } of Object.values(types)) bytes += byteLength;
  return bytes;
}

function typedOf({ typed }: Embedded): TypedVector {
  if (typed) return typed;
  throw new GatewayError("internal", "The gateway lost the further types of an embedding.");
}

/** The strongest comes last. */
const SOURCES: readonly TokensSource[] = ["estimated", "counted", "header", "provider"];
const STRONGEST: TokensSource = "provider";

/** A sum with an estimated part is an estimate. */
const weaker = (one: TokensSource, other: TokensSource): TokensSource =>
  SOURCES.indexOf(other) < SOURCES.indexOf(one) ? other : one;
