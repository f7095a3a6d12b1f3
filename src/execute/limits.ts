/**
 * Learned input limits: how much of a text each target reads. They are learned here, kept in the target's health and in the database, and applied to
 * parts. Signs of a cut are found in cut-test.ts (two texts, one vector) and src/tokens/belief.ts (token count too small); a further sign calls `learn`.
 */
import { GatewayError } from "../domain/errors";
import type { LimitSeen } from "../domain/health";
import type { Part, Piece, Plan, Target } from "../domain/request";
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
export function noteWhole({ route }: Work, target: Target, tokens: number, isLasting = true): void {
  const health = healthOf(target);
  if (tokens <= health.limit.wholeTo) return;
  health.limit = { ...health.limit, wholeTo: tokens };
  if (isLasting) target.provider.keepLimit?.(target.model, route.space);
}

/** Whether texts may be longer than what the target reads. */
export function isKnownToCut(target: Target): boolean {
  const { tokens, learnedBy } = healthOf(target).limit;
  return tokens !== undefined && learnedBy !== "words";
}

/** Used if no vocabulary is known: for a text of many words no model in use needs more than one token per two bytes. */
const BYTES_A_TOKEN = 2;
/** A token is at least one byte, apart from the few that mark a text's ends. */
const MARKS_MAX = 8;

/** @throws GatewayError cut_silently for texts that are, or may be, longer than the target's learned limit */
export async function refuseLonger(
  { pieces }: Part,
  target: Target,
  { outside, signal }: Work,
): Promise<void> {
  const { limit } = healthOf(target);
  const { tokens: tokensMax, learnedBy } = limit;
  if (tokensMax === undefined || learnedBy === "words") return;
  const { tokenizer, max_input_tokens } = target.facts;
  // In that case the texts were already made to fit.
  if (tokenizer && max_input_tokens !== undefined && max_input_tokens <= tokensMax) return;
  // Usage shows for each text whether it was cut. If a server's usage proves nothing, every text that may be too long is refused.
  let index =
    learnedBy === "usage" ? -1 : pieces.findIndex(({ input }) => sizeOf(input) > tokensMax * BYTES_A_TOKEN);
  if (tokenizer && outside.tokens) {
    const texts = pieces.map(({ input }) => (typeof input === "string" ? input : ""));
    const isShort = texts.every((text) => Buffer.byteLength(text) + MARKS_MAX <= tokensMax);
    const counts = isShort ? [] : await outside.tokens.count(tokenizer, texts, tokensMax, signal);
    index = counts.findIndex((count) => count > tokensMax);
  }
  if (index === -1) return;
  const what = tokenizer ? "and this one has more" : "and this one may have more";
  const tokenizerToo = tokenizer ? "" : "tokenizer, where it is a known one, and ";
  throw new GatewayError(
    "cut_silently",
    `The provider silently truncates texts to ${tokensMax} tokens, ${what}. Send it in shorter pieces, or set ${tokenizerToo}long_input: truncate or average for the model '${target.model}' in the routing file.`,
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
  typeof input === "string" ? Buffer.byteLength(input) : input.length * BYTES_A_TOKEN;
