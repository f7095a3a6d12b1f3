/**
 * Step 3: decides what exactly is embedded. Token arrays are decoded if the provider takes text, the model's prompt is put before each text, and
 * inputs that are too long are found before anything is sent: refused, truncated, or split (src/tokens/long-inputs.ts).
 */

import type { EndSignal } from "../domain/ending";
import { GatewayError } from "../domain/errors";
import { type ModelFacts, TOKEN_ARRAYS } from "../domain/facts";
import { prompted, promptFor } from "../domain/prompts";
import type { EmbedRequest, Piece, Plan, Prompt, Route } from "../domain/request";
import type { Input } from "../plugin";
import { fitted } from "../tokens/long-inputs";
import type { Tokens } from "../tokens/tokens";

/**
 * @param places indices in the request of the inputs to embed
 * @throws GatewayError invalid | input_too_long, with the index of the input at fault
 */
export async function plan(
  request: EmbedRequest,
  places: readonly number[],
  route: Route,
  tokens: Tokens,
  signal?: EndSignal,
): Promise<Plan> {
  const { facts } = route;
  const asked: Piece[] = [];
  for (const place of places) {
    const input = request.inputs[place];
    if (input !== undefined) asked.push({ input, place, weight: 1 });
  }
  const vocabulary = decodedWith(request, facts);
  const texts = vocabulary === undefined ? asked : await decoded(asked, vocabulary, tokens, signal);
  const prompt = promptFor(request, route);
  const ready = prompt ? texts.map((piece) => withPrompt(piece, prompt)) : texts;
  const fitting = fitted(ready, route, tokens, { signal, prompt });
  const { pieces, truncated } = fitting instanceof Promise ? await fitting : fitting;
  const indivisible = isIndivisible(request, route);
  // The pieces of a text would share the context too (late chunking), and would be more inputs than were admitted.
  if (indivisible) refusePieces(pieces, "inputs that are embedded together");
  if (request.types) refusePieces(pieces, "embeddings of other types than float");
  return {
    pieces,
    requestedDimensions: request.dimensions,
    dimensions: request.dimensions ?? facts.dimensions,
    types: request.types,
    prompt,
    decodedWith: vocabulary,
    longInput: facts.long_input,
    keepsLength: facts.normalized === false,
    indivisible,
    truncated,
  };
}

function withPrompt(piece: Piece, prompt: Prompt): Piece {
  return typeof piece.input === "string" ? { ...piece, input: prompted(piece.input, prompt) } : piece;
}

/** Whether the inputs share one context (late chunking): then they go in one call, and nothing is cached. */
export function isIndivisible(request: EmbedRequest, route: Route): boolean {
  return route.targets.some(({ provider }) => provider.isIndivisible(request));
}

function refusePieces(pieces: readonly Piece[], what: string): void {
  const place = pieces.find((piece, i) => piece.place === pieces[i - 1]?.place)?.place;
  if (place === undefined) return;
  throw new GatewayError(
    "input_too_long",
    `The input is longer than the model takes, and ${what} cannot be averaged from pieces. Send shorter inputs.`,
    { input: place },
  );
}

/** The vocabulary for the request's token arrays if they are decoded to text before they are sent; cached arrays need it too. */
export function decodedWith(
  { inputs }: Pick<EmbedRequest, "inputs">,
  facts: ModelFacts,
): typeof TOKEN_ARRAYS | undefined {
  const decodes = facts.token_ids === "decode" && inputs.some((input) => typeof input !== "string");
  return decodes ? TOKEN_ARRAYS : undefined;
}

/**
 * Replaces token arrays by their text where a client split a character between two arrays, so that only both together make sense. This happens
 * before any cache lookup, because the meaning of such an array depends on its neighbour.
 */
export async function withWholeCharacters(
  request: EmbedRequest,
  facts: ModelFacts,
  tokens: Tokens,
  signal?: EndSignal,
): Promise<EmbedRequest> {
  const vocabulary = request.inputs.length > 1 ? decodedWith(request, facts) : undefined;
  if (vocabulary === undefined) return request;
  const ids = request.inputs.filter((input) => typeof input !== "string");
  // A request's inputs are all texts or all token arrays (the schema says so), so the indices agree.
  const texts = await tokens.mend(vocabulary, ids, signal);
  if (texts.every((text) => text === undefined)) return request;
  return { ...request, inputs: request.inputs.map((input, place) => texts[place] ?? input) };
}

async function decoded(
  pieces: readonly Piece[],
  vocabulary: typeof TOKEN_ARRAYS,
  tokens: Tokens,
  signal: EndSignal | undefined,
): Promise<readonly Piece[]> {
  const ids: Uint32Array[] = [];
  const ofIds: Piece[] = [];
  for (const piece of pieces) {
    if (typeof piece.input === "string") continue;
    ids.push(piece.input);
    ofIds.push(piece);
  }
  try {
    const texts: readonly Input[] = await tokens.decode(vocabulary, ids, signal);
    const textOf = new Map(ofIds.map((piece, i) => [piece, texts[i]]));
    return pieces.map((piece) => ({ ...piece, input: textOf.get(piece) ?? piece.input }));
  } catch (thrown) {
    if (!(thrown instanceof GatewayError) || thrown.input === undefined) throw thrown;
    throw new GatewayError(thrown.kind, thrown.message, { input: ofIds[thrown.input]?.place });
  }
}

/** The part of a plan that this request must fetch itself. */
export function partOf(planned: Plan, places: readonly number[]): Plan {
  // The usual case: no other request fetches any of these inputs, so the indices equal the pieces' own.
  if (places.length === planned.pieces.length && planned.pieces.every(({ place }, i) => place === places[i]))
    return planned;
  const own = new Set(places);
  return { ...planned, pieces: planned.pieces.filter(({ place }) => own.has(place)) };
}
