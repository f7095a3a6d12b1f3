/**
 * Step 7: from what came of each input to what the request is answered: its vectors in order, its tokens, and what to tell beside them.
 * A new thing to tell of an answer is a line of `answerHeaders`.
 */
import { namesInHeader } from "../dialects/fields";
import { GatewayError } from "../domain/errors";
import { inHeader } from "../domain/header-values";
import { ignoredFields } from "../domain/hints";
import { promptFor } from "../domain/prompts";
import type { Embedded, EmbedRequest, Result, Route, TokensSource } from "../domain/request";
import type { TypedVector } from "../plugin";
import { UNVERIFIED } from "../spaces/pin";
import { decodedWith } from "./plan";
import type { CacheUse, Recalled } from "./recall";

/** @throws GatewayError internal when an input has no vector of its own: a fault of ours that must not become a wrong vector */
export function resultOf({ embedded, fresh }: Recalled, request: EmbedRequest): Result {
  const size = embedded[0]?.values.length;
  if (embedded.length !== request.inputs.length || embedded.some(({ values }) => values.length !== size)) {
    throw new GatewayError("internal", "The gateway lost track of which vector belongs to which input.");
  }
  let tokens = 0;
  let tokensOfHits = 0;
  let tokensOfEmpty = 0;
  const sources: TokensSource[] = [];
  const truncated: number[] = [];
  const averaged: number[] = [];
  for (const [place, one] of embedded.entries()) {
    tokens += one.tokens;
    const isHit = !fresh.has(place);
    if (request.inputs[place] === "") tokensOfEmpty += one.tokens;
    else if (isHit) tokensOfHits += one.tokens;
    // The shares of a call add up to its count; a share that is told once more is an estimate.
    sources.push(isHit && one.tokensShared ? "estimated" : one.tokensSource);
    if (one.truncated) truncated.push(place);
    if (one.averaged) averaged.push(place);
  }
  return {
    vectors: embedded.map(({ values }) => values),
    ...(request.types && { typed: embedded.map(typedOf) }),
    tokens,
    tokensByInput: embedded.map((one) => one.tokens),
    tokensSource: weakest(sources),
    truncated,
    averaged,
    cacheHits: embedded.length - fresh.size,
    tokensOfHits,
    tokensOfEmpty,
  };
}

/** What its vectors take in memory. */
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

/** A sum is as good as its worst part. */
function weakest(sources: readonly TokensSource[]): TokensSource {
  const order: readonly TokensSource[] = ["estimated", "counted", "header", "provider"];
  return order.find((source) => sources.includes(source)) ?? "estimated";
}

/**
 * @param route in the space where the vectors lie; verified: the model's first route, or more than one, was measured to lie there
 * @param providers those that were asked, as far as the caller may know; what is told of a vector is told of a cached one too
 */
export function answerHeaders(
  route: Route & { readonly isVerified: boolean },
  request: EmbedRequest,
  result: Result,
  providers: ReadonlySet<string>,
  cacheNote: string | undefined,
): Record<string, string> {
  const headers: Record<string, string> = {
    "x-embedding-space": `${route.isVerified ? "" : UNVERIFIED}${inHeader(route.space)}@${result.vectors[0]?.length ?? 0}`,
  };
  if (providers.size > 0) headers["x-embedgate-provider"] = [...providers].join(", ");
  if (cacheNote !== undefined) headers["x-embedgate-cache"] = cacheNote;
  if (result.truncated.length > 0) headers["x-embedgate-truncated"] = placesInHeader(result.truncated);
  if (result.averaged.length > 0) headers["x-embedgate-averaged"] = placesInHeader(result.averaged);
  const vocabulary = decodedWith(request, route.facts);
  if (vocabulary !== undefined) headers["x-embedgate-decoded"] = vocabulary;
  const prompt = promptFor(request, route);
  if (prompt)
    headers["x-embedgate-prompt"] = `${inHeader(prompt.name)}${prompt.isDefault ? "; default" : ""}`;
  if (result.tokensSource === "estimated") headers["x-embedgate-usage"] = "estimated";
  const ignored = ignoredFields(request, route.targets[0]);
  if (ignored.length > 0) headers["x-embedgate-ignored"] = ignored.join(", ");
  return headers;
}

/** @param cacheUse undefined where nothing is ever kept */
export function cacheNote(
  cacheUse: CacheUse | undefined,
  { cacheHits, vectors }: Result,
): string | undefined {
  if (!cacheUse) return undefined;
  return cacheUse.find ? `hit=${cacheHits}, miss=${vectors.length - cacheHits}` : "bypass";
}

/** What the wire leaves without effect, beside what the provider does. */
export function ignoredHeader(
  ignored: readonly string[],
  headers: Readonly<Record<string, string>>,
  written: readonly string[],
): Record<string, string> {
  if (ignored.length === 0) return {};
  const before = headers["x-embedgate-ignored"];
  const names = namesInHeader(ignored);
  if (before === undefined) return { "x-embedgate-ignored": names };
  const place = (name: string) => written.indexOf(name);
  const all = [...ignored, ...before.split(", ")].sort((one, other) => place(one) - place(other));
  return { "x-embedgate-ignored": namesInHeader(all) };
}

/** As many as OpenAI takes in a request: a workspace may be allowed more, and clients read no header of any length. */
const PLACES_MAX = 2048;

function placesInHeader(places: readonly number[]): string {
  const more = places.length - PLACES_MAX;
  return `${places.slice(0, PLACES_MAX).join(",")}${more > 0 ? `,and ${more} more` : ""}`;
}
