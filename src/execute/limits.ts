/**
 * Learned input limits: how much of a text each target reads. They are learned here, kept in the target's health and in the database, and applied to
 * parts. Signs of a cut are found in cut-test.ts (two texts, one vector) and src/tokens/belief.ts (token count too small); a further sign calls `learn`.
 */
import { GatewayError } from "../domain/errors";
import type { LimitSeen } from "../domain/health";
import type { Part, Piece, Plan, Target } from "../domain/request";
import { mayHaveMore, tokensAtMost } from "../tokens/at-most";
import { tokensAtLeast } from "../tokens/belief";
import { healthOf } from "./choose";
import type { Work } from "./work";

/** No known server has a lower limit. */
const TOKENS_MIN = 16;

/** @param tokens how many tokens of one text the target reads */
export function learn(
  { route, outside }: Work,
  target: Target,
  tokens: number,
  learnedBy: LimitSeen["learnedBy"],
): void {
  const health = healthOf(target);
  const { tokens: known = Number.POSITIVE_INFINITY, wholeTo } = health.limit;
  if (tokens >= known || tokens < TOKENS_MIN) return;
  health.limit = { tokens, learnedBy, wholeTo: Math.min(wholeTo, tokens) };
  target.provider.keepLimit?.(target.model, route.space);
  const { provider, model } = target;
  const about = { provider: provider.name, model, max_input_tokens: tokens };
  if (learnedBy === "words") outside.log("info", "input limit learned from the provider's error", about);
  else
    outside.log("warn", "provider truncates long texts silently: longer texts are no longer sent whole", {
      ...about,
      mend: "set max_input_tokens of the model in the routing file",
    });
}

/** Texts with this many tokens were read whole. */
export function noteWhole({ route }: Work, target: Target, tokens: number): void {
  const health = healthOf(target);
  if (tokens <= health.limit.wholeTo) return;
  health.limit = { ...health.limit, wholeTo: tokens };
  target.provider.keepLimit?.(target.model, route.space);
}

/** Whether texts may be longer than what the target reads. */
export function isKnownToCut(target: Target): boolean {
  const { tokens, learnedBy } = healthOf(target).limit;
  return tokens !== undefined && learnedBy !== "words";
}

/** A text that may be this many times too long was almost certainly cut, and is not worth another call. */
const PROVED_MAX = 4;

/** The caller's token ids may be of another vocabulary than the model's, with up to this many of its tokens per id. */
const TOKENS_AN_ID = 2;
/** Tokens that mark the ends of a text; every other token has at least one byte. */
const MARKS_MAX = 8;

/**
 * @returns the places of texts that may or may not be longer than what the target reads: only another call can show whether they were cut
 *   (`proveWhole` of cut-test.ts)
 * @throws GatewayError cut_silently for texts that are longer; if another call costs money, also for those that may be
 */
export async function refuseLonger(
  { pieces }: Part,
  target: Target,
  { outside, signal }: Work,
): Promise<readonly number[]> {
  const { limit } = healthOf(target);
  const { tokens: tokensMax, learnedBy } = limit;
  if (tokensMax === undefined || learnedBy === "words") return [];
  const { tokenizer, max_input_tokens } = target.facts;
  // The texts were already shortened to the model's limit.
  if (tokenizer && max_input_tokens !== undefined && max_input_tokens <= tokensMax) return [];
  let undecided: readonly number[] = [];
  let index = -1;
  const texts = pieces.map(({ input }) => (typeof input === "string" ? input : ""));
  if (tokenizer && outside.tokens) {
    const isShort = texts.every((text) => Buffer.byteLength(text) + MARKS_MAX <= tokensMax);
    const counts = isShort ? [] : await outside.tokens.count(tokenizer, texts, tokensMax, signal);
    index = counts.findIndex((count) => count > tokensMax);
  } else if (learnedBy === "trial") {
    // If it was learned by usage, the usage shows for each text whether it was cut.
    const ids = pieces.findIndex(({ input }) => typeof input !== "string" && input.length > tokensMax);
    const may = await mayHaveMore(texts, tokensMax, outside.tokens, signal);
    undecided = [...may.keys()].filter((place) => may[place]);
    const isFree = target.costPrice === 0;
    const isSure = (place: number) =>
      !isFree ||
      tokensAtLeast(texts[place] ?? "") > tokensMax ||
      tokensAtMost(texts[place] ?? "") > tokensMax * PROVED_MAX;
    index = ids === -1 ? (undecided.find(isSure) ?? -1) : ids;
  }
  if (index === -1) return undecided;
  throw tooLongFor(target, tokensMax, index);
}

/** @param index of the text in its part */
export function tooLongFor(
  { facts: { tokenizer }, model }: Target,
  tokensMax: number,
  index: number,
): GatewayError {
  const what = tokenizer ? "and this one has more" : "and this one may have more";
  const tokenizerToo = tokenizer ? "" : "tokenizer, where it is a known one, and ";
  return new GatewayError(
    "cut_silently",
    `The provider silently truncates texts to ${tokensMax} tokens, ${what}. Send it in shorter pieces, or set ${tokenizerToo}long_input: truncate or average for the model '${model}' in the routing file.`,
    { tokensMax, input: index },
  );
}

/**
 * For a server that is known to cut, if no vocabulary gives a text's length: a text that may be too long is sent alone, so that the
 * reported token count is its own. undefined: no text needs to be sent alone.
 */
export function sharedBytesMax(target: Target): number | undefined {
  const { tokens, learnedBy } = healthOf(target).limit;
  const isDecided = tokens === undefined || learnedBy !== "usage" || target.facts.tokenizer !== undefined;
  return isDecided ? undefined : Math.max(0, tokens - MARKS_MAX);
}

/** @throws GatewayError for a call whose token count does not show what became of a text; the call is repeated in parts that limitsOf allows */
export function refuseUndecided(
  { pieces }: Part,
  target: Target,
  { indivisible }: Pick<Plan, "indivisible">,
): void {
  const bytesMax = sharedBytesMax(target);
  if (bytesMax === undefined || pieces.length === 1 || !pieces.some(({ input }) => sizeOf(input) > bytesMax))
    return;
  throw new GatewayError(
    indivisible ? "cut_silently" : "too_many_tokens",
    `The provider looks at the first ${healthOf(target).limit.tokens} tokens of a text and says nothing of the rest, and its count for several texts does not tell whether one is longer. Send them one by one.`,
  );
}

/**
 * Whether a text that was sent alone was, or may have been, cut: its token count equals the server's limit. A text of exactly that many tokens
 * is treated as cut too.
 */
export function fillsLimit(
  { pieces: [only, ...others] }: Part,
  target: Target,
  counted: number | undefined,
): boolean {
  const bytesMax = sharedBytesMax(target);
  if (bytesMax === undefined || only === undefined || others.length > 0 || counted === undefined)
    return false;
  return sizeOf(only.input) > bytesMax && counted >= (healthOf(target).limit.tokens ?? counted + 1);
}

export const sizeOf = (input: Piece["input"]) =>
  typeof input === "string" ? Buffer.byteLength(input) : input.length * TOKENS_AN_ID;
