/**
 * Finds inputs that are longer than the model's limit before anything is sent, and treats them by `long_input`: refused, truncated, or
 * split into pieces that are averaged afterwards. This is always reported. A new policy is a case of `treated`.
 */

import type { EndSignal } from "../domain/ending";
import { GatewayError } from "../domain/errors";
import type { KnownFacts } from "../domain/facts";
import { promptWithin } from "../domain/prompts";
import type { Piece, Prompt, Route } from "../domain/request";
import type { Input } from "../plugin";
import { mayHaveMore, slicesAtMost, tokensAtMost } from "./at-most";
import type { Cut, Tokens } from "./tokens";
import type { CountingName } from "./vocabulary";

/** How many special tokens a vocabulary's count includes. */
const MARKS: Readonly<Partial<Record<CountingName, number>>> = { bert_uncased: 2 };

export function marksOf({ tokenizer }: Pick<KnownFacts, "tokenizer">): number {
  return tokenizer === undefined ? 0 : (MARKS[tokenizer] ?? 0);
}

/** Functions that count and cut. */
type Counting = Pick<Tokens, "count" | "cut">;

interface How {
  readonly signal?: EndSignal | undefined;
  /** The texts start with this prompt, and so must every piece of one. */
  readonly prompt?: Prompt | undefined;
}

interface Fitted {
  readonly pieces: readonly Piece[];
  /** Indices in the request. */
  readonly truncated: readonly number[];
}

/** Synchronous, unless a text may be too long. @throws GatewayError input_too_long, with the index of the input */
export function fitted(
  asked: readonly Piece[],
  route: Route,
  tokens: Counting,
  how: How = {},
): Fitted | Promise<Fitted> {
  const { facts, targets } = route;
  const limit = facts.max_input_tokens;
  // Plugins that count by themselves do not know the prompt, which must precede every piece.
  const isTheirs = how.prompt === undefined && targets.every(({ provider }) => provider.countsTokens);
  const mostBytes = (limit ?? Number.POSITIVE_INFINITY) - marksOf(facts);
  // Most texts have fewer bytes than the model's limit has tokens.
  if (limit === undefined || isTheirs || asked.every((piece) => isSurelyWithin(piece, mostBytes)))
    return { pieces: asked, truncated: [] };
  return fittedByCount(asked, limit, route, tokens, how);
}

async function fittedByCount(
  asked: readonly Piece[],
  limit: number,
  route: Route,
  tokens: Counting,
  how: How,
): Promise<Fitted> {
  const { facts } = route;
  const cuts = await cutTooLong(asked, limit, route, tokens, how);
  const pieces: Piece[] = [];
  const truncated: number[] = [];
  for (const piece of asked) {
    const cut = cuts.get(piece.place);
    if (cut === undefined) pieces.push(piece);
    else if (facts.long_input === "reject") throw tooLong(piece, limit, route);
    else if (facts.long_input === "truncate") {
      const input = cut[0]?.input ?? piece.input;
      pieces.push({ ...piece, input });
      // One character cannot be cut.
      if (input !== piece.input) truncated.push(piece.place);
    } else pieces.push(...cut.map(({ input, tokens: weight }) => ({ input, place: piece.place, weight })));
  }
  return { pieces, truncated };
}

/** A token is at least one byte of UTF-8. Token ids come without marks, so they are checked one by one if the model has marks. */
const isSurelyWithin = ({ input }: Piece, most: number): boolean =>
  (typeof input === "string" ? Buffer.byteLength(input) : input.length) <= most;

interface Slice {
  readonly input: Input;
  readonly tokens: number;
}

/** By index: the inputs over the limit, cut into consecutive pieces within it; if they are refused, the pieces are placeholders. */
async function cutTooLong(
  asked: readonly Piece[],
  limit: number,
  route: Route,
  tokens: Counting,
  how: How,
): Promise<ReadonlyMap<number, readonly Slice[]>> {
  const { facts } = route;
  const { signal, prompt } = how;
  const cuts = new Map<number, readonly Slice[]>();
  const marks = marksOf(facts);
  const doubtful: { place: number; text: string }[] = [];
  for (const { input, place } of asked) {
    if (typeof input !== "string") {
      if (input.length > limit) cuts.set(place, idSlices(input, limit));
      // A token is at least one byte of UTF-8, or one of the two marks: only a text with more bytes than the limit can exceed it.
    } else if (Buffer.byteLength(input) > limit - marks) doubtful.push({ place, text: input });
  }
  if (facts.tokenizer === undefined) {
    // The provider refuses texts that are too long, and `long_input` then uses the limit in its error (src/execute/fit-anew.ts).
    if (facts.uncounted === "send" || doubtful.length === 0) return cuts;
    const texts = doubtful.map(({ text }) => text);
    const more = await mayHaveMore(texts, limit, tokens, signal);
    for (const [i, { place, text }] of doubtful.entries())
      if (more[i]) cuts.set(place, severalOf(text, limit, prompt));
    return cuts;
  }
  if (doubtful.length === 0) return cuts;
  const isWhole = facts.long_input === "average" && prompt === undefined;
  const most = isWhole ? "all" : "first";
  const found = await tokens.cut(
    facts.tokenizer,
    doubtful.map(({ text }) => text),
    limit,
    most,
    signal,
  );
  for (const [i, { place }] of doubtful.entries()) {
    const cut = found[i];
    if (cut === undefined) continue;
    const text = doubtful[i]?.text ?? "";
    const isAveraged = facts.long_input === "average" && prompt !== undefined;
    const slices = isAveraged
      ? await prompted(text, prompt, limit - marks, facts.tokenizer, tokens, signal)
      : cut.map(asSlice);
    cuts.set(place, slices);
  }
  return cuts;
}

/** Consecutive pieces of a text, each with the prompt at the text's start: the model was trained to see it before each. */
async function prompted(
  text: string,
  prompt: Prompt,
  room: number,
  vocabulary: CountingName,
  tokens: Counting,
  signal: EndSignal | undefined,
): Promise<readonly Slice[]> {
  const begin = promptWithin(text, prompt);
  const marks = MARKS[vocabulary] ?? 0;
  const [taken = 0] = await tokens.count(vocabulary, [begin], room + marks, signal);
  const left = Math.max(1, room - (taken - marks)) + marks;
  const rest = text.slice(begin.length);
  const [cut] = await tokens.cut(vocabulary, [rest], left, "all", signal);
  const slices = cut?.map(asSlice) ?? [{ input: rest, tokens: 1 }];
  return slices.map((slice) => ({ ...slice, input: begin + slice.input }));
}

/** Like `byteSlices`, each with the prompt at the text's start. */
export function slicesWithin(text: string, bytesMax: number, prompt: Prompt | undefined): Slice[] {
  const begin = prompt === undefined ? "" : promptWithin(text, prompt);
  const left = Math.max(1, bytesMax - Buffer.byteLength(begin));
  const slices = byteSlices(text.slice(begin.length), left);
  return begin === "" ? slices : slices.map((slice) => ({ ...slice, input: begin + slice.input }));
}

/** A text of invented words may be too long only by the count of known vocabularies: it is cut into pieces nevertheless. */
function severalOf(text: string, limit: number, prompt: Prompt | undefined): Slice[] {
  const slices = slicesOfUnknown(text, limit, prompt);
  return slices.length > 1 || limit < 2 ? slices : severalOf(text, Math.floor(limit / 2), prompt);
}

/** Like `byteSlices`, for an unknown vocabulary: none has more than `limit` tokens. */
export function slicesOfUnknown(text: string, limit: number, prompt: Prompt | undefined): Slice[] {
  const begin = prompt === undefined ? "" : promptWithin(text, prompt);
  const left = Math.max(1, limit - tokensAtMost(begin));
  return slicesAtMost(text.slice(begin.length), left).map((slice) => ({
    input: begin + slice.text,
    tokens: slice.tokens,
  }));
}

const asSlice = ({ text, tokens }: Cut): Slice => ({ input: text, tokens });

function idSlices(ids: Uint32Array, limit: number): Slice[] {
  const slices: Slice[] = [];
  for (let start = 0; start < ids.length; start += limit) {
    const input = ids.subarray(start, start + limit);
    slices.push({ input, tokens: input.length });
  }
  return slices;
}

/** Consecutive pieces of at most this many bytes, without splitting a character. */
function byteSlices(text: string, bytesMax: number): Slice[] {
  const bytes = Buffer.from(text, "utf8");
  const slices: Slice[] = [];
  for (let start = 0; start < bytes.length; ) {
    let end = Math.min(bytes.length, start + Math.max(4, bytesMax));
    // A byte of the form 10xxxxxx continues a character.
    while (end < bytes.length && ((bytes[end] ?? 0) & 0xc0) === 0x80) end -= 1;
    slices.push({ input: bytes.toString("utf8", start, end), tokens: end - start });
    start = end;
  }
  return slices;
}

function tooLong({ input, place }: Piece, limit: number, route: Route): GatewayError {
  const { facts } = route;
  const advice =
    "Send it in shorter pieces, or set long_input: truncate or average for the model in the routing file.";
  const uncounted = typeof input === "string" && facts.tokenizer === undefined;
  const count = typeof input === "string" ? `more than ${limit} tokens` : `${input.length} tokens`;
  const size = uncounted
    ? `A text of ${Buffer.byteLength(input)} bytes can be more than ${limit} tokens (this model's tokenizer is not known), and the model '${route.id}' takes no more`
    : `${count}, but the model '${route.id}' takes at most ${limit} in one input`;
  return new GatewayError("input_too_long", `${size}. ${advice}`, { input: place });
}
