/**
 * An answer's headers: embedding space, providers, cache, truncated texts, added prompts, ignored fields.
 * A new header is a line of `answerHeaders`, and a row of src/door/docs/headers.ts.
 */
import { namesInHeader } from "../dialects/fields";
import type { Decoded } from "../dialects/wire";
import { inHeader } from "../domain/header-values";
import { ignoredFields } from "../domain/hints";
import { promptFor } from "../domain/prompts";
import type { EmbedRequest, Result, Route } from "../domain/request";
import { UNVERIFIED } from "../spaces/pin";
import { decodedWith } from "./plan";
import type { CacheUse } from "./recall";

export interface Told {
  /** The embedding space of the vectors; verified: a measurement confirmed it for the model's first route, or for several routes. */
  readonly place: { readonly space: string; readonly isVerified: boolean };
  /** The providers that were called; undefined if they are hidden from the caller. */
  readonly providers: ReadonlySet<string> | undefined;
  /** undefined if nothing is ever cached. */
  readonly cacheUse: CacheUse | undefined;
}

export function headersOf(
  { ignored, written = [] }: Pick<Decoded, "ignored" | "written">,
  route: Route,
  request: EmbedRequest,
  result: Result,
  { place, providers = NONE, cacheUse }: Told,
): Record<string, string> {
  const headers = answerHeaders(route, place, request, result, providers, cacheNote(cacheUse, result));
  if (ignored.length === 0) return headers;
  return { ...headers, ...ignoredHeader(ignored, headers, written) };
}

const NONE: ReadonlySet<string> = new Set();

/**
 * @param providers the providers that were called, as far as the caller may know; headers about a vector are also sent for a cached one
 */
function answerHeaders(
  route: Route,
  place: Told["place"],
  request: EmbedRequest,
  result: Result,
  providers: ReadonlySet<string>,
  cacheNote: string | undefined,
): Record<string, string> {
  const headers: Record<string, string> = {
    "x-embedding-space": `${place.isVerified ? "" : UNVERIFIED}${inHeader(place.space)}@${result.vectors[0]?.length ?? 0}`,
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

/** @param cacheUse undefined if nothing is ever cached */
function cacheNote(cacheUse: CacheUse | undefined, { cacheHits, vectors }: Result): string | undefined {
  if (!cacheUse) return undefined;
  return cacheUse.find ? `hit=${cacheHits}, miss=${vectors.length - cacheHits}` : "bypass";
}

/** Fields that the wire ignores, and those that the provider ignores. */
function ignoredHeader(
  ignored: readonly string[],
  headers: Readonly<Record<string, string>>,
  written: readonly string[],
): Record<string, string> {
  const before = headers["x-embedgate-ignored"];
  const names = namesInHeader(ignored);
  if (before === undefined) return { "x-embedgate-ignored": names };
  const place = (name: string) => written.indexOf(name);
  const all = [...ignored, ...before.split(", ")].sort((one, other) => place(one) - place(other));
  return { "x-embedgate-ignored": namesInHeader(all) };
}

/** OpenAI's limit on inputs per request. A workspace may be allowed more inputs, but clients do not accept headers of any length. */
const PLACES_MAX = 2048;

function placesInHeader(places: readonly number[]): string {
  const more = places.length - PLACES_MAX;
  return `${places.slice(0, PLACES_MAX).join(",")}${more > 0 ? `,and ${more} more` : ""}`;
}
